//! The volume in which sidecars keep how far they have read, so that a restarted one goes on where it was.

use crate::files::new_volumes::NewVolume;
use crate::pod::{Container, Mount, Pod, VolumeKind};
use crate::sidecar::{POSITIONS_DIRECTORY, names};

/// The volume for positions in one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionsVolume {
    /// Its name.
    pub name: String,
    /// Whether the pod declares it already.
    declared: bool,
    /// Whether a sidecar that the pod has already mounts it.
    mounted: bool,
}

impl PositionsVolume {
    /// The volume that the pod's sidecars have, or else one with a name that is free beside the pod's and the `new` ones.
    pub fn of(pod: &Pod<'_>, new: &[NewVolume]) -> Self {
        let in_use = mounts_of_sidecars(pod).map(|mount| mount.name.to_string());
        let mut usable = in_use
            .chain(names::own_volume_candidates("positions"))
            .filter(|name| is_free_or_ours(pod, name) && new.iter().all(|volume| volume.name != *name));
        let name = usable
            .next()
            .expect("candidates have no end, and a pod's volumes do");
        Self {
            declared: pod.volume(&name).is_some(),
            mounted: mounts_of_sidecars(pod).any(|mount| mount.name == name),
            name,
        }
    }

    /// Whether the volume has to be added, given whether a sidecar is.
    pub fn is_missing(&self, adds_sidecar: bool) -> bool {
        !self.declared && (adds_sidecar || self.mounted)
    }
}

/// The mounts for positions in the sidecars that the pod has.
fn mounts_of_sidecars<'p>(pod: &'p Pod<'p>) -> impl Iterator<Item = &'p Mount<'p>> {
    pod.init_containers()
        .iter()
        .filter(|container| container.is_streaming_sidecar())
        .flat_map(Container::mounts)
        .filter(|mount| mount.mount_path == POSITIONS_DIRECTORY)
}

/// Whether nobody else uses a volume of this name.
fn is_free_or_ours(pod: &Pod<'_>, name: &str) -> bool {
    let uses = pod
        .all_containers()
        .flat_map(|container| container.container.mounts())
        .filter(|mount| mount.name == name)
        .count();
    let ours = mounts_of_sidecars(pod).filter(|mount| mount.name == name).count();
    uses == ours
        && pod
            .volume(name)
            .is_none_or(|volume| volume.kind() == VolumeKind::EmptyDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(spec: &str) -> (String, bool, bool) {
        let json = format!(r#"{{"spec":{spec}}}"#);
        let volume = PositionsVolume::of(&Pod::parse(&json).unwrap(), &[]);
        let (with, without) = (volume.is_missing(true), volume.is_missing(false));
        (volume.name, with, without)
    }

    fn sidecar(volume: &str) -> String {
        format!(
            r#""initContainers":[{{"name":"s","restartPolicy":"Always","command":["/tributary-streamer","--","/a/b"],
                "volumeMounts":[{{"name":"{volume}","mountPath":"/tributary-positions"}}]}}]"#
        )
    }

    #[test]
    fn is_added_once_and_with_the_first_sidecar() {
        let name = || "tributary-positions".to_owned();
        assert_eq!(volume("{}"), (name(), true, false));
        let declared = r#""volumes":[{"name":"tributary-positions","emptyDir":{}}]"#;
        let both = format!("{{{declared},{}}}", sidecar(&name()));
        assert_eq!(volume(&both), (name(), false, false));
    }

    #[test]
    fn is_put_back_under_the_name_that_a_sidecar_mounts() {
        let spec = format!("{{{}}}", sidecar("tributary-positions-1"));
        assert_eq!(volume(&spec), ("tributary-positions-1".to_owned(), true, true));
    }

    #[test]
    fn is_never_a_volume_of_the_application() {
        let claim =
            r#"{"volumes":[{"name":"tributary-positions","persistentVolumeClaim":{"claimName":"c"}}]}"#;
        let mounted = r#"{"volumes":[{"name":"tributary-positions","emptyDir":{}}],
            "containers":[{"name":"app","volumeMounts":[{"name":"tributary-positions","mountPath":"/x"}]}]}"#;
        for spec in [claim, mounted] {
            let (name, with, without) = volume(spec);
            assert!(name.starts_with("tributary-positions-"), "{name}");
            assert!(with && !without);
        }
        let new = NewVolume {
            name: "tributary-positions".to_owned(),
            list: crate::pod::ContainerList::App,
            index: 0,
            container: "app".to_owned(),
            mounts: vec![("/positions".to_owned(), None)],
        };
        let pod = Pod::parse(r#"{"spec":{}}"#).unwrap();
        assert_ne!(PositionsVolume::of(&pod, &[new]).name, "tributary-positions");
    }
}
