//! Reads Kubernetes objects from files and standard input: YAML and JSON, several documents, and lists.

use std::fs;
use std::io::{self, Read};

use serde_json::Value;
use serde_saphyr::Spanned;

use crate::error::Error;
use crate::lines::{Lines, Tree, dotted};
use crate::origin::Origin;

/// The name of standard input on the command line.
const STDIN: &str = "-";

/// An object of Kubernetes, and where it was found.
#[derive(Clone, Debug)]
pub struct Document {
    /// The object.
    pub object: Value,
    file: String,
    lines: Lines,
}

impl Document {
    /// The place of what this JSON pointer leads to; the empty one leads to the object.
    pub fn origin(&self, pointer: &str) -> Origin {
        Origin {
            file: self.file.clone(),
            line: self.lines.of(pointer).unwrap_or(1),
        }
    }

    /// What is wrong with the field that this JSON pointer leads to.
    pub fn wrong(&self, pointer: &str, problem: &str) -> Error {
        let field = match pointer {
            "" => self.title(),
            _ => format!("{}: {}", self.title(), dotted(pointer)),
        };
        Error::Field {
            origin: self.origin(pointer),
            field,
            problem: problem.to_owned(),
        }
    }

    /// A text of the object, such as its kind; empty if it is not there.
    pub fn text(&self, pointer: &str) -> &str {
        self.object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The API group and the kind.
    pub fn group_and_kind(&self) -> (&str, &str) {
        let group = self.text("/apiVersion").rsplit_once('/');
        (group.map_or("", |(group, _)| group), self.text("/kind"))
    }

    /// The name or, as it stands before the API server has made one of it, its prefix.
    pub fn name(&self) -> &str {
        match self.text("/metadata/name") {
            "" => self.text("/metadata/generateName"),
            name => name,
        }
    }

    /// How messages call it: `Pod web`.
    pub fn title(&self) -> String {
        format!("{} {}", self.text("/kind"), self.name())
            .trim_end()
            .to_owned()
    }
}

/// Reads the objects of lists of files, in their order.
///
/// # Errors
/// When standard input is named more than once in all of them, and for a file that cannot be read.
pub fn read<const LISTS: usize>(
    lists: [&[String]; LISTS],
    stdin: &mut dyn Read,
) -> Result<[Vec<Document>; LISTS], Error> {
    let files = lists.iter().copied().flatten();
    if files.filter(|file| *file == STDIN).count() > 1 {
        return Err(Error::StdinTwice);
    }
    let mut documents = lists.map(|_| Vec::new());
    for (files, documents) in lists.into_iter().zip(&mut documents) {
        for file in files {
            read_file(file, stdin, documents)?;
        }
    }
    Ok(documents)
}

fn read_file(file: &str, stdin: &mut dyn Read, documents: &mut Vec<Document>) -> Result<(), Error> {
    let (name, text) = if file == STDIN {
        ("stdin", io::read_to_string(stdin))
    } else {
        (file, fs::read_to_string(file))
    };
    let text = text.map_err(|source| Error::Read {
        file: name.to_owned(),
        source,
    })?;
    for document in parse(name, &text)? {
        unfold(document, documents)?;
    }
    Ok(())
}

fn parse(file: &str, text: &str) -> Result<Vec<Document>, Error> {
    // YAML may begin with a brace too.
    if text.trim_start().starts_with('{') {
        json(file, text).or_else(|error| yaml(file, text).map_err(|_| error))
    } else {
        yaml(file, text)
    }
}

fn json(file: &str, text: &str) -> Result<Vec<Document>, Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut documents = Vec::new();
    loop {
        let rest = &text[values.byte_offset()..];
        let start = text.len() - rest.trim_start().len();
        let object = match values.next() {
            None => return Ok(documents),
            Some(Ok(object)) => object,
            Some(Err(error)) => {
                let line = u64::try_from(error.line()).unwrap_or(1);
                return Err(syntax(file, line, "JSON", without_place(&error.to_string())));
            }
        };
        let line = text[..start].matches('\n').count() + 1;
        documents.push(Document {
            object,
            file: file.to_owned(),
            lines: Lines::all_at(u64::try_from(line).unwrap_or(u64::MAX)),
        });
    }
}

fn yaml(file: &str, text: &str) -> Result<Vec<Document>, Error> {
    // As kubectl reads it: YAML 1.1, in which 0644 is octal and `yes` is true.
    // How large a file may be is its owner's affair; how often aliases may be followed stays limited.
    let options = serde_saphyr::options! { budget: None, legacy_octal_numbers: true, with_snippet: false };
    let places: Vec<Spanned<Tree>> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            let problem = match error {
                serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
                    format!("the key {} is there twice; remove one", key.unwrap_or_default())
                }
                error => without_place(&error.to_string()),
            };
            syntax(file, line, "YAML", problem)
        })?;
    let documents = places.into_iter().map(|place| {
        let (object, lines) = Tree::split(place);
        Document {
            object,
            file: file.to_owned(),
            lines,
        }
    });
    Ok(documents.collect())
}

fn syntax(file: &str, line: u64, format: &'static str, problem: String) -> Error {
    Error::Syntax {
        origin: Origin {
            file: file.to_owned(),
            line,
        },
        format,
        problem,
    }
}

/// What a parser says, without where that is in the text that it was given.
pub fn without_place(message: &str) -> String {
    let problem = message.split_once(" at line ").map(|(problem, _)| problem);
    problem.unwrap_or(message).to_owned()
}

/// Adds an object, or each object of a list.
fn unfold(mut document: Document, documents: &mut Vec<Document>) -> Result<(), Error> {
    check_shape(&document)?;
    let kind = document.text("/kind").to_owned();
    let api_version = document.text("/apiVersion").to_owned();
    let Some(item_kind) = kind.strip_suffix("List") else {
        documents.push(document);
        return Ok(());
    };
    let items = document.object.pointer_mut("/items").map(Value::take);
    let Some(Value::Array(items)) = items else {
        documents.push(document);
        return Ok(());
    };
    for (index, mut object) in items.into_iter().enumerate() {
        // Items of a typed list may leave out what the list says.
        if let Some(fields) = object.as_object_mut().filter(|_| !item_kind.is_empty()) {
            fields.entry("kind").or_insert_with(|| item_kind.into());
            fields
                .entry("apiVersion")
                .or_insert_with(|| api_version.as_str().into());
        }
        let item = Document {
            object,
            file: document.file.clone(),
            lines: document.lines.below(&format!("/items/{index}")),
        };
        unfold(item, documents)?;
    }
    Ok(())
}

fn check_shape(document: &Document) -> Result<(), Error> {
    let wrong = |problem: &str| {
        Err(Error::NoObject {
            origin: document.origin(""),
            problem: problem.to_owned(),
        })
    };
    if !document.object.is_object() {
        return wrong("this is no Kubernetes object; begin one with apiVersion, kind and metadata");
    }
    for field in ["/apiVersion", "/kind"] {
        if document.text(field).is_empty() {
            let field = &field[1..];
            return wrong(&format!(
                "this object has no {field}; begin a pod with apiVersion: v1 and kind: Pod"
            ));
        }
    }
    Ok(())
}
