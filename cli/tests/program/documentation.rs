//! docs/cli.md shows what the program really prints.
//!
//! `UPDATE_GOLDEN=1 cargo test -p tributary-cli --test program` writes the page anew.

use std::fs;

use crate::desk::Desk;

/// A block of code, the line before it that says something, and the language.
struct Block<'p> {
    before: &'p str,
    language: &'p str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut before, mut is_open) = ("", false);
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(language) => {
                is_open = true;
                blocks.push(Block {
                    before,
                    language,
                    text: String::new(),
                });
            }
            None if is_open => {
                let block = blocks.last_mut().unwrap();
                block.text += line;
                block.text.push('\n');
            }
            None if !line.is_empty() => before = line,
            None => {}
        }
    }
    blocks
}

/// Runs the commands of a console, and returns what it shows then.
fn replayed(desk: &Desk, console: &str) -> String {
    let (mut shown, mut status) = (String::new(), 0);
    for line in console.lines() {
        let Some(command) = line.strip_prefix("$ ") else {
            continue;
        };
        shown = shown + line + "\n";
        if let Some(arguments) = command.strip_prefix("tributary ") {
            let ended = desk.run(arguments, "");
            status = ended.status;
            shown = shown + &ended.stderr + &ended.stdout;
        } else {
            assert_eq!(command, "echo $?");
            shown = shown + &status.to_string() + "\n";
        }
    }
    shown
}

#[test]
fn the_page_shows_what_is_printed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    let page = fs::read_to_string(path).unwrap();
    let mut updated = page.clone();
    let desk = Desk::new(&[]);
    let (mut files, mut consoles) = (0, 0);
    for block in blocks(&page) {
        let name = block
            .before
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix("`:"));
        match (block.language, name) {
            ("yaml", Some(name)) => {
                fs::write(desk.path(name), block.text).unwrap();
                files += 1;
            }
            ("console", _) => {
                updated = updated.replace(&block.text, &replayed(&desk, &block.text));
                consoles += 1;
            }
            _ => {}
        }
    }
    assert_eq!((files, consoles), (7, 7));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, updated).unwrap();
    } else {
        assert_eq!(updated, page);
    }
}
