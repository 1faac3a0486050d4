//! Where built programs are kept, and under which name.

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::module::Module;
use crate::{error::Error, hex::hex};

/// How many bytes of the hash name a directory; enough that no two states of one module ever share it.
const NAME_BYTES: usize = 8;

/// The directory of everything that is kept between runs and checkouts.
pub fn root() -> Result<PathBuf, Error> {
    let set = |variable: &str| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("TRIBUTARY_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("tributary")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("tributary")))
        .ok_or(Error::NoCache)
}

/// The directory of a module's programs; it need not exist.
pub(super) fn directory(module: Module) -> Result<PathBuf, Error> {
    let hash = hash(&module.directory(), &module.flags())?;
    Ok(root()?
        .join("components")
        .join(format!("{}-{hash}", module.name())))
}

/// A hash, in hexadecimal, of every file under `directory` and of the flags.
fn hash(directory: &Path, flags: &[String]) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    // Lengths keep two lists apart whose texts joined would be the same.
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for flag in flags {
        add(flag.as_bytes());
    }
    for file in files(directory)? {
        add(file
            .strip_prefix(directory)
            .unwrap_or(&file)
            .as_os_str()
            .as_encoded_bytes());
        add(&fs::read(&file).map_err(Error::file("reading", &file))?);
    }
    Ok(hex(&hasher.finalize()[..NAME_BYTES]))
}

/// Every file under a directory, sorted by path.
fn files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let failed = || Error::file("listing", &directory);
        for entry in fs::read_dir(&directory).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a program is there.
pub(super) fn exists(program: &Path) -> Result<bool, Error> {
    match fs::metadata(program) {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::file("looking for", program)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(list: &[&str]) -> Vec<String> {
        list.iter().map(|&flag| flag.to_owned()).collect()
    }

    #[test]
    fn hash_depends_on_names_contents_and_flags_and_on_nothing_else() {
        let write = |files: &[(&str, &str)]| {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            dir
        };
        let of = |files: &[(&str, &str)], list: &[&str]| hash(write(files).path(), &flags(list)).unwrap();

        let base = of(
            &[("go.mod", "module x"), ("stub/a.go", "package a")],
            &["-trimpath"],
        );
        assert_eq!(
            base,
            of(
                &[("stub/a.go", "package a"), ("go.mod", "module x")],
                &["-trimpath"]
            )
        );
        for other in [
            of(
                &[("go.mod", "module y"), ("stub/a.go", "package a")],
                &["-trimpath"],
            ),
            of(
                &[("go.mod", "module x"), ("stub/b.go", "package a")],
                &["-trimpath"],
            ),
            of(&[("go.mod", "module x")], &["-trimpath"]),
            of(
                &[("go.mod", "module x"), ("stub/a.go", "package a")],
                &["-trimpath", "-v"],
            ),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(of(&[], &["ab", "c"]), of(&[], &["a", "bc"]));
    }

    #[test]
    fn every_module_of_this_checkout_has_a_directory_with_its_sums() {
        for module in Module::ALL {
            assert!(module.directory().join("go.mod").is_file(), "{}", module.name());
            assert!(module.directory().join("go.sum").is_file(), "{}", module.name());
        }
    }
}
