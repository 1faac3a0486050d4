//! Whom a sidecar runs as, so that it may read what the application writes and is never root.

use tributary_crds::{Reason, annotation};

use crate::explain::{Finding, Quoted};
use crate::files::access::Access;
use crate::pod::{Container, Pod, SecurityContext};

/// Whom a sidecar runs as when nothing says otherwise: the customary `nonroot` of images without a user database.
pub const DEFAULT_USER: i64 = 65_532;

/// A user that is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The user.
    pub user: i64,
    /// The first group; `None` leaves it to the image, which is group 0.
    pub group: Option<i64>,
}

impl Default for RunAs {
    fn default() -> Self {
        Self {
            user: DEFAULT_USER,
            group: Some(DEFAULT_USER),
        }
    }
}

/// What is known of the application's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ApplicationUser {
    /// Not root.
    Known(RunAs),
    /// Root.
    Root,
    /// Whatever its image says.
    Unknown,
}

/// The user of a sidecar, and a warning when that user may not be able to read the application's files.
pub fn of_sidecar(
    pod: &Pod<'_>,
    application: &Container<'_>,
    files: &[&Access],
    run_as: Option<RunAs>,
) -> (RunAs, Option<Finding>) {
    if let Some(run_as) = run_as {
        return (run_as, None);
    }
    let who = match of_application(pod, application) {
        ApplicationUser::Known(user) => return (user, None),
        ApplicationUser::Root => "runs as root",
        ApplicationUser::Unknown => "has no runAsUser",
    };
    // Files in an emptyDir of a pod with an fsGroup belong to that group, and the sidecar has it too.
    let shares_a_group = pod
        .spec
        .security_context
        .as_ref()
        .is_some_and(|context| context.fs_group.is_some());
    let warning = Finding::new(
        Reason::MayNotRead,
        format!("container {} {who}", Quoted(&application.name)),
        format!(
            "its sidecar runs as {DEFAULT_USER} and reads only files that everyone may read; if yours are not, annotate {}: \
             UID[:GID]",
            annotation::RUN_AS
        ),
    );
    (
        RunAs::default(),
        (!(shares_a_group && files.iter().all(|file| file.empty_dir))).then_some(warning),
    )
}

/// The user of a sidecar for the files of several containers: that of the first. Warnings are for those containers whose files
/// it may not be able to read.
pub fn of_shared_sidecar(
    pod: &Pod<'_>,
    files: &[(&Container<'_>, &Access)],
    run_as: Option<RunAs>,
) -> (RunAs, Vec<Finding>) {
    let mut user = None;
    let mut warnings: Vec<Finding> = Vec::new();
    for (application, access) in files {
        let (own, warning) = of_sidecar(pod, application, &[access], run_as);
        let first = *user.get_or_insert(own);
        let differs = || {
            let message = format!(
                "container {} runs as {}, and the sidecar as {}",
                Quoted(&application.name),
                own.user,
                first.user
            );
            let remedy = format!(
                "it reads only files that everyone may read; if yours are not, annotate {}: UID[:GID]",
                annotation::RUN_AS
            );
            Finding::new(Reason::MayNotRead, message, remedy)
        };
        let warning = warning.or_else(|| (own != first).then(differs));
        warnings.extend(warning.filter(|warning| !warnings.contains(warning)));
    }
    (user.unwrap_or_default(), warnings)
}

fn of_application(pod: &Pod<'_>, container: &Container<'_>) -> ApplicationUser {
    let contexts = [
        container.security_context.as_ref(),
        pod.spec.security_context.as_ref(),
    ];
    let first = |field: fn(&SecurityContext) -> Option<i64>| contexts.into_iter().flatten().find_map(field);
    match first(|context| context.run_as_user) {
        Some(0) => ApplicationUser::Root,
        Some(user) => ApplicationUser::Known(RunAs {
            user,
            group: first(|context| context.run_as_group),
        }),
        None => ApplicationUser::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use tributary_crds::annotation::AbsolutePath;

    use super::*;
    use crate::files::access::Part;

    fn user(
        pod_context: &str,
        context: &str,
        run_as: Option<RunAs>,
        empty_dir: bool,
    ) -> (i64, Option<i64>, bool) {
        let json = format!(
            r#"{{"spec":{{"securityContext":{pod_context},"containers":[{{"name":"app","securityContext":{context}}}]}}}}"#
        );
        let pod = Pod::parse(&json).unwrap();
        let access = Access {
            volume: "logs".to_owned(),
            mount_path: "/logs".to_owned(),
            path: AbsolutePath::parse("/logs/a").unwrap(),
            part: Part::Whole,
            outlives_pod: false,
            empty_dir,
        };
        let (run_as, warning) = of_sidecar(&pod, &pod.spec.containers[0], &[&access], run_as);
        (run_as.user, run_as.group, warning.is_some())
    }

    #[test]
    fn the_applications_user_where_it_is_known_and_not_root() {
        let asked = RunAs { user: 7, group: None };
        assert_eq!(
            user(
                r#"{"runAsUser":1,"runAsGroup":2}"#,
                r#"{"runAsUser":3}"#,
                None,
                true
            ),
            (3, Some(2), false)
        );
        assert_eq!(user(r#"{"runAsUser":1}"#, "null", None, true), (1, None, false));
        assert_eq!(
            user(r#"{"runAsUser":1}"#, r#"{"runAsUser":0}"#, None, true),
            (65532, Some(65532), true)
        );
        assert_eq!(user("null", "null", None, true), (65532, Some(65532), true));
        assert_eq!(
            user("null", r#"{"runAsUser":0}"#, Some(asked), true),
            (7, None, false)
        );
    }

    #[test]
    fn an_fs_group_makes_an_empty_dir_readable() {
        assert_eq!(
            user(r#"{"fsGroup":5}"#, "null", None, true),
            (65532, Some(65532), false)
        );
        assert_eq!(
            user(r#"{"fsGroup":5}"#, "null", None, false),
            (65532, Some(65532), true)
        );
    }
}
