//! What happens to records between their source and the outputs.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::multiline::Multiline;

/// One step that every record passes, or every record that `where` selects. Exactly one deed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.parse), has(self.multiline), has(self.keep), has(self.drop), has(self.redact), has(self.set), has(self.rename), has(self.remove), has(self.sample), has(self.throttle)].filter(x, x).size() == 1")
        .message("a processor does one thing: write one of parse, multiline, keep, drop, redact, set, rename, remove, sample, throttle"),
    validation = Rule::new("!(has(self.keep) || has(self.drop)) || has(self.where) && size(self.where) > 0")
        .message("keep and drop say which records by where: add where: [{field: ..., in: [...]}] beside them"),
    validation = Rule::new("!has(self.multiline) || !has(self.where)")
        .message("multiline joins lines before anything is known of them: remove where")
)]
pub struct Processor {
    /// Takes a structured text apart. What was found goes under `data`, and the text stays. A text that is not of the format
    /// stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parse: Option<Parse>,

    /// Makes one record of lines that belong together. Only as the first processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiline: Option<Multiline>,

    /// Keeps the records that `where` selects, and drops all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,

    /// Drops the records that `where` selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<Drop>,

    /// Replaces what nobody should read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redact: Option<Redact>,

    /// Writes a fixed text to a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Set>,

    /// Moves what one field has to another one. A record without the first stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<Rename>,

    /// Removes fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Remove>,

    /// Keeps a part of the records, chosen by chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,

    /// Drops what is more than so many records a second, in each agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,

    /// Only records that meet all of these conditions, written as those of outputs; all others pass this step as they are. At most 16.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), transform = crate::schema::without_inner_descriptions)]
    pub conditions: Vec<Condition>,
}

/// Takes a structured text apart.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("(self.format == 'Regex') == has(self.pattern)")
        .message("pattern belongs to format Regex: write both, as in {format: Regex, pattern: '^(?P<method>[A-Z]+) (?P<path>[^ ]+)'}")
)]
pub struct Parse {
    /// What the text is.
    pub format: ParseFormat,

    /// `message` or `data.KEY`. Default `message`.
    #[serde(default = "Parse::default_field")]
    #[schemars(length(max = 400))]
    pub field: String,

    /// With format `Regex`: an expression (RE2 syntax) whose named groups `(?P<name>...)` become `data.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,
}

impl Parse {
    fn default_field() -> String {
        "message".to_owned()
    }
}

/// How a text is structured.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum ParseFormat {
    /// A JSON object. `level` is also set, by a text at `level`, `log.level`, `severity`, `lvl` or `levelname`.
    Json,
    /// Words `KEY=VALUE`, values with spaces in double quotes. `level` is set as with `Json`.
    Logfmt,
    /// What `pattern` says. `level` is set as with `Json`.
    Regex,
}

/// Keeps what `where` selects.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Keep {}

/// Drops what `where` selects.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Drop {}

/// Replaces what nobody should read.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.pattern) || size(self.presets) > 0").message("write what to redact: presets, pattern or both")
)]
pub struct Redact {
    /// `message` or `data.KEY`. Default `message`, which is then redacted before it is parsed: write this step before `parse`.
    #[serde(default = "Parse::default_field")]
    #[schemars(length(max = 400))]
    pub field: String,

    /// Known kinds of secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub presets: Vec<RedactPreset>,

    /// An expression (RE2 syntax); each match of it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,

    /// What stands in the place of each match. Default `***`.
    #[serde(default = "Redact::default_replacement")]
    #[schemars(length(max = 256))]
    pub replacement: String,
}

impl Redact {
    fn default_replacement() -> String {
        "***".to_owned()
    }
}

/// A known kind of secret, found by its form alone.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum RedactPreset {
    /// 13 to 19 digits, alone or in groups, that begin as the numbers of payment cards do.
    CreditCard,
    /// `name@host.example`
    Email,
    /// Four numbers up to 255 with dots.
    #[serde(rename = "IPv4")]
    Ipv4,
    /// JSON Web Tokens: `eyJ...`
    #[serde(rename = "JWT")]
    Jwt,
    /// What follows `Bearer`, and that word.
    Bearer,
    /// Access key identifiers (`AKIA...`, `ASIA...`), and 40 characters after words such as `aws_secret_access_key=`.
    #[serde(rename = "AWSKeys")]
    AwsKeys,
}

/// Writes a fixed text to a field.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Set {
    /// `message`, `level` or `data.KEY`.
    #[schemars(length(max = 400))]
    pub field: String,
    /// The text.
    #[schemars(length(max = 1024))]
    pub value: String,
}

/// Moves what one field has to another one.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Rename {
    /// `message`, `level` or `data.KEY`.
    #[schemars(length(max = 400))]
    pub from: String,
    /// `message`, `level` or `data.KEY`. What it had before is lost.
    #[schemars(length(max = 400))]
    pub to: String,
}

/// Removes fields.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Remove {
    /// Each `message`, `level` or `data.KEY`.
    #[schemars(length(min = 1, max = 64), inner(length(max = 400)))]
    pub fields: Vec<String>,
}

/// Keeps a part of the records, chosen by chance.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// How many of a hundred records are kept, on average: 10, or 0.5. The rest is dropped.
    #[x_kube(validation = Rule::new("self > 0.0 && self < 100.0").message("write a number above 0 and below 100, such as 10"))]
    pub percent: f64,
}

/// Drops what is more than so many records a second.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Throttle {
    /// How many records a second are kept, over each second.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub records_per_second: u32,

    /// Fields of which every combination has a measure of its own, such as `kubernetes.namespace_name`. Absent: one for all records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 400)))]
    pub per: Vec<String>,
}

/// The one deed of a [`Processor`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deed<'a> {
    /// Takes a structured text apart.
    Parse(&'a Parse),
    /// Joins lines.
    Multiline(&'a Multiline),
    /// Keeps what is selected.
    Keep,
    /// Drops what is selected.
    Drop,
    /// Replaces what nobody should read.
    Redact(&'a Redact),
    /// Writes a fixed text.
    Set(&'a Set),
    /// Moves what one field has.
    Rename(&'a Rename),
    /// Removes fields.
    Remove(&'a Remove),
    /// Keeps a part by chance.
    Sample(&'a Sample),
    /// Drops what is too much.
    Throttle(&'a Throttle),
}

impl Processor {
    /// The one deed that is set, or `None` when there is not exactly one (which the resource's schema refuses).
    pub fn deed(&self) -> Option<Deed<'_>> {
        let mut set = [
            self.parse.as_ref().map(Deed::Parse),
            self.multiline.as_ref().map(Deed::Multiline),
            self.keep.as_ref().map(|_| Deed::Keep),
            self.drop.as_ref().map(|_| Deed::Drop),
            self.redact.as_ref().map(Deed::Redact),
            self.set.as_ref().map(Deed::Set),
            self.rename.as_ref().map(Deed::Rename),
            self.remove.as_ref().map(Deed::Remove),
            self.sample.as_ref().map(Deed::Sample),
            self.throttle.as_ref().map(Deed::Throttle),
        ]
        .into_iter()
        .flatten();
        let first = set.next();
        if set.next().is_some() { None } else { first }
    }
}
