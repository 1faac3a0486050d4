//! The programs of a cluster, built once from Go modules.
//!
//! A built program lies in the cache, in a directory named by a hash of its module's files and the build's flags, so
//! that other checkouts of the same sources find it too. The cache is `$TRIBUTARY_CACHE`, else
//! `$XDG_CACHE_HOME/tributary`, else `~/.cache/tributary`.
//!
//! A module's `go.mod` pins the versions: `go get MODULE@VERSION` in its directory changes one, and `go mod tidy` then
//! settles the rest, but not for `otelcol`, where it asks for modules of other modules' tests that do not exist; there
//! `go build -mod=mod .` does it.

mod build;
mod cache;
mod module;
mod progress;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use cache::root as cache_root;
pub use module::{Component, Module};
pub use progress::Progress;

use crate::error::Error;

/// Where programs lie.
#[derive(Clone, Debug, Default)]
pub struct Programs(BTreeMap<Component, PathBuf>);

impl Programs {
    /// The path of a program.
    ///
    /// # Panics
    /// If the component is not one of those that [`ensure`] was called with.
    pub fn path(&self, component: Component) -> &Path {
        self.0
            .get(&component)
            .unwrap_or_else(|| panic!("{} was not asked for", component.name()))
    }
}

/// Builds those of `components` that are not in the cache, one Go module after the other, and says where all of them lie.
///
/// Several processes may call this at once: each program is built by one of them while the others wait.
pub async fn ensure(components: &[Component], progress: &Progress) -> Result<Programs, Error> {
    let mut programs = Programs::default();
    for module in Module::ALL {
        let wanted: Vec<Component> = components
            .iter()
            .copied()
            .filter(|component| component.module() == module)
            .collect();
        if !wanted.is_empty() {
            let directory = build::ensure(module, &wanted, progress).await?;
            programs.0.extend(
                wanted
                    .iter()
                    .map(|&component| (component, directory.join(component.name()))),
            );
        }
    }
    Ok(programs)
}
