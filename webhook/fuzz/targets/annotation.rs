//! The parser of `tributary.dev/stream`, with any text that a tenant could write.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tributary_crds::annotation::{FileSpec, MAX_FILES, MAX_PATH, parse_files};

fuzz_target!(|text: &str| {
    match parse_files(text) {
        Ok(files) => {
            assert!((1..=MAX_FILES).contains(&files.len()), "{} files", files.len());
            assert!(files.iter().all(|file| file.path.as_str().len() <= MAX_PATH));
            assert!(files.iter().all(|file| file.path.as_str().starts_with('/')));
            assert_eq!(
                parse_files(&written(&files)).as_ref(),
                Ok(&files),
                "what was understood can be written"
            );
        }
        Err(error) => {
            assert!(
                (1..=text.chars().count() + 1).contains(&error.position),
                "{error:?}"
            );
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
});

/// The annotation that names these files.
fn written(files: &[FileSpec]) -> String {
    let items: Vec<String> = files
        .iter()
        .map(|file| match &file.container {
            Some(container) => format!("{container}:{}", file.path.as_str()),
            None => file.path.as_str().to_owned(),
        })
        .collect();
    items.join(",")
}
