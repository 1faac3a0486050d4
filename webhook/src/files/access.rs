//! How a sidecar gets at a file of another container.

use k8s_openapi::api::core::v1::{EnvVar, VolumeMount};
use tributary_crds::annotation::AbsolutePath;

use crate::files::directories::{ELSEWHERE, is_within};
use crate::sidecar::names;

/// How a sidecar gets at a file: one mount, read-only.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The volume.
    pub volume: String,
    /// Where the sidecar mounts it.
    pub mount_path: String,
    /// The file or pattern as the sidecar sees it: as the application does, unless the runtime needs that path in the sidecar.
    pub path: AbsolutePath,
    /// The part of the volume that is mounted.
    pub part: Part,
    /// Whether files may be there from before the pod.
    pub outlives_pod: bool,
    /// Whether the volume is an emptyDir.
    pub empty_dir: bool,
}

/// The part of a volume that is mounted.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// `subPath`
    SubPath(String),
    /// `subPathExpr`, and the variables that it names.
    SubPathExpr(String, Vec<EnvVar>),
}

impl Part {
    /// The path or the expression, where it is not all of the volume.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Whole => None,
            Self::SubPath(part) | Self::SubPathExpr(part, _) => Some(part),
        }
    }
}

impl Access {
    /// The sidecar's mount: read-only.
    pub fn mount(&self) -> VolumeMount {
        let (sub_path, sub_path_expr) = match &self.part {
            Part::Whole => (None, None),
            Part::SubPath(part) => (Some(part.clone()), None),
            Part::SubPathExpr(expression, _) => (None, Some(expression.clone())),
        };
        VolumeMount {
            name: self.volume.clone(),
            mount_path: self.mount_path.clone(),
            sub_path,
            sub_path_expr,
            read_only: Some(true),
            ..VolumeMount::default()
        }
    }

    /// Whether the sidecar sees the file at another path than the application.
    pub fn is_elsewhere(&self) -> bool {
        is_within(self.path.directory(), ELSEWHERE)
    }

    /// Whether the volume is one that was made by us, now or in an earlier pass over the same pod.
    pub fn is_in_created_volume(&self) -> bool {
        self.empty_dir && self.volume.starts_with(names::VOLUME)
    }

    /// Whether both can be mounted in one container: the runtime makes the place for a mount within another, and could not in
    /// one that is read-only.
    pub fn fits_beside(&self, other: &Self) -> bool {
        if self.mount_path == other.mount_path {
            return self.volume == other.volume && self.part == other.part;
        }
        !is_within(&self.mount_path, &other.mount_path) && !is_within(&other.mount_path, &self.mount_path)
    }
}

/// The mounts for all of these files, each once.
pub fn mounts<'a>(files: impl IntoIterator<Item = &'a Access>) -> Vec<VolumeMount> {
    let mut mounts = Vec::new();
    for file in files {
        let mount = file.mount();
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
    mounts
}

/// The variables of every `subPathExpr` among these files, each once.
pub fn variables<'a>(files: impl IntoIterator<Item = &'a Access>) -> Vec<EnvVar> {
    let mut variables = Vec::new();
    for file in files {
        if let Part::SubPathExpr(_, own) = &file.part {
            for variable in own {
                if !variables.contains(variable) {
                    variables.push(variable.clone());
                }
            }
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mount_path: &str, volume: &str) -> Access {
        Access {
            volume: volume.to_owned(),
            mount_path: mount_path.to_owned(),
            path: AbsolutePath::parse("/l/a").unwrap(),
            part: Part::Whole,
            outlives_pod: false,
            empty_dir: true,
        }
    }

    #[test]
    fn one_container_has_no_mount_within_another() {
        for (a, b, fits) in [
            (at("/l", "v"), at("/l", "v"), true),
            (at("/l", "v"), at("/l", "w"), false),
            (at("/l", "v"), at("/l/x", "w"), false),
            (at("/l/x", "v"), at("/l", "v"), false),
            (at("/l", "v"), at("/lx", "w"), true),
        ] {
            assert_eq!(a.fits_beside(&b), fits, "{a:?} {b:?}");
        }
    }
}
