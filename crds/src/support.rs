//! Which engine can do what with an output: the one table behind the rules of the resource's schema, the compiler's
//! refusals, `docs/reference/support.md` and the tests. A new engine is a name in these lists.

use std::fmt::Write as _;

use kube::core::{Rule, validate};
use schemars::Schema;

use crate::buffer::WhenFull;
use crate::engine::Engine;

const EVERY: &[Engine] = &Engine::ALL;
const NONE: &[Engine] = &[];
const COLLECTOR: &[Engine] = &[Engine::OpenTelemetryCollector];
const FLUENT_BIT: &[Engine] = &[Engine::FluentBit];

/// What can be done with one kind of destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputSupport {
    /// The field of an output that asks for it.
    pub field: &'static str,
    /// The engines that can send to it.
    pub engines: &'static [Engine],
    /// What to write for an engine that cannot, besides another engine; empty when every engine can.
    pub instead: &'static str,
    /// The engines that can prove who they are by `auth.basic`.
    pub basic: &'static [Engine],
    /// The engines that can do so by `auth.bearer`.
    pub bearer: &'static [Engine],
    /// What to write in place of an `auth` that no engine can use.
    pub instead_of_auth: &'static str,
    /// Where the policy says whether the connection is encrypted.
    pub encryption: Encryption,
}

/// Where a policy says whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// There is no connection.
    NoNetwork,
    /// The scheme of the URL in this field of the destination.
    Scheme(&'static str),
    /// The presence of `tls`.
    Tls,
    /// It always is.
    Always,
    /// In the destination's own settings, and `tls` has nothing to add.
    Own,
}

/// A method of `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// `auth.basic`.
    Basic,
    /// `auth.bearer`.
    Bearer,
}

/// `elasticsearch`.
pub const ELASTICSEARCH: OutputSupport = OutputSupport {
    bearer: COLLECTOR,
    ..by_url("elasticsearch", "url")
};
/// `openSearch`.
pub const OPEN_SEARCH: OutputSupport = OutputSupport {
    bearer: COLLECTOR,
    ..by_url("openSearch", "url")
};
/// `loki`.
pub const LOKI: OutputSupport = by_url("loki", "url");
/// `otlp`.
pub const OTLP: OutputSupport = by_url("otlp", "endpoint");
/// `kafka`.
pub const KAFKA: OutputSupport = OutputSupport {
    bearer: NONE,
    encryption: Encryption::Tls,
    ..by_url("kafka", "")
};
/// `splunk`.
pub const SPLUNK: OutputSupport = OutputSupport {
    basic: NONE,
    bearer: NONE,
    instead_of_auth: "remove auth: the token goes to splunk.tokenSecretRef",
    ..by_url("splunk", "url")
};
/// `datadog`. The collector's exporter takes records for delivered when they are in its memory.
pub const DATADOG: OutputSupport = OutputSupport {
    engines: FLUENT_BIT,
    instead_of_auth: "remove auth: the key goes to datadog.apiKeySecretRef",
    field: "datadog",
    ..PAPERTRAIL
};
/// `s3`. Fluent Bit takes records for delivered when they are in files of the plugin's own, which `Block` does not hold back.
pub const S3: OutputSupport = OutputSupport {
    field: "s3",
    engines: COLLECTOR,
    instead_of_auth: "remove auth: an access key goes to s3.credentials",
    encryption: Encryption::Own,
    ..PAPERTRAIL
};
/// `syslog`.
pub const SYSLOG: OutputSupport = OutputSupport {
    field: "syslog",
    encryption: Encryption::Tls,
    ..PAPERTRAIL
};
/// `papertrail`.
pub const PAPERTRAIL: OutputSupport = OutputSupport {
    basic: NONE,
    bearer: NONE,
    instead_of_auth: "remove auth: the protocol has none",
    encryption: Encryption::Always,
    ..by_url("papertrail", "")
};
/// `forward`.
pub const FORWARD: OutputSupport = OutputSupport {
    engines: FLUENT_BIT,
    instead: "an output otlp",
    basic: NONE,
    bearer: NONE,
    instead_of_auth: "remove auth: the key goes to forward.sharedKeySecretRef",
    encryption: Encryption::Tls,
    ..by_url("forward", "")
};
/// `http`.
pub const HTTP: OutputSupport = by_url("http", "url");
/// `stdout`.
pub const STDOUT: OutputSupport = without_network("stdout");
/// `file`.
pub const FILE: OutputSupport = without_network("file");

/// Every destination, in the order in which messages and documents list them.
pub const OUTPUTS: &[OutputSupport] = &[
    ELASTICSEARCH,
    OPEN_SEARCH,
    LOKI,
    OTLP,
    KAFKA,
    SPLUNK,
    DATADOG,
    S3,
    SYSLOG,
    PAPERTRAIL,
    FORWARD,
    HTTP,
    STDOUT,
    FILE,
];

/// What happens when a buffer is full, and the engines that can do it.
pub const WHEN_FULL: [(WhenFull, &[Engine]); 3] = [
    (WhenFull::Block, EVERY),
    (WhenFull::DropOldest, FLUENT_BIT),
    (WhenFull::DropNewest, COLLECTOR),
];

const fn by_url(field: &'static str, url: &'static str) -> OutputSupport {
    OutputSupport {
        field,
        engines: EVERY,
        instead: "",
        basic: EVERY,
        bearer: EVERY,
        instead_of_auth: "",
        encryption: Encryption::Scheme(url),
    }
}

const fn without_network(field: &'static str) -> OutputSupport {
    OutputSupport {
        field,
        engines: EVERY,
        instead: "",
        basic: NONE,
        bearer: NONE,
        instead_of_auth: "remove auth",
        encryption: Encryption::NoNetwork,
    }
}

impl AuthMethod {
    /// Every method.
    pub const ALL: [Self; 2] = [Self::Basic, Self::Bearer];

    /// The field of `auth`.
    pub fn field(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Bearer => "bearer",
        }
    }
}

impl OutputSupport {
    /// The engines that can use a method of `auth` here.
    pub fn auth(&self, method: AuthMethod) -> &'static [Engine] {
        match method {
            AuthMethod::Basic => self.basic,
            AuthMethod::Bearer => self.bearer,
        }
    }

    /// Why an engine cannot send there and what to write, or `None` when it can.
    pub fn refusal(&self, engine: Engine) -> Option<Refusal> {
        Refusal::unless(
            self.engines,
            engine,
            &format!("send to {}", self.field),
            self.instead,
        )
    }

    /// Why a method of `auth` is none for this destination, whatever the engine, and what to write.
    pub fn auth_misfit(&self, method: AuthMethod) -> Option<Refusal> {
        if !self.auth(method).is_empty() {
            return None;
        }
        let other = AuthMethod::ALL
            .into_iter()
            .find(|other| !self.auth(*other).is_empty());
        Some(Refusal {
            problem: match other {
                Some(_) => format!("{} takes no auth.{}", self.field, method.field()),
                None => format!("{} takes no auth", self.field),
            },
            remedy: match other {
                Some(other) => format!("write auth.{}", other.field()),
                None => self.instead_of_auth.to_owned(),
            },
        })
    }

    /// Why `tls` is nothing for this destination, and what to write, or `None` when it has a meaning.
    pub fn tls_misfit(&self) -> Option<Refusal> {
        (self.encryption == Encryption::Own).then(|| Refusal {
            problem: format!("{} takes no tls", self.field),
            remedy: "remove tls: the authorities of the agent's image check the server".to_owned(),
        })
    }

    /// Why an engine cannot use a method of `auth` that another can, and what to write.
    pub fn auth_refusal(&self, method: AuthMethod, engine: Engine) -> Option<Refusal> {
        let able = self.auth(method);
        if able.is_empty() || !self.engines.contains(&engine) {
            return None;
        }
        let other = AuthMethod::ALL
            .into_iter()
            .find(|other| self.auth(*other).contains(&engine));
        let instead = other
            .map(|other| format!("auth.{}", other.field()))
            .unwrap_or_default();
        let deed = format!("send auth.{} to {}", method.field(), self.field);
        Refusal::unless(able, engine, &deed, &instead)
    }
}

/// Why an engine cannot do something when a buffer is full and what to write, or `None` when it can.
pub fn when_full_refusal(when_full: WhenFull, engine: Engine) -> Option<Refusal> {
    let able = WHEN_FULL.iter().find(|(known, _)| *known == when_full)?.1;
    let others: Vec<String> = WHEN_FULL
        .iter()
        .filter(|(_, engines)| engines.contains(&engine))
        .map(|(other, _)| format!("{other:?}"))
        .collect();
    let instead = format!("whenFull: {}", others.join(" or "));
    Refusal::unless(able, engine, &format!("do whenFull: {when_full:?}"), &instead)
}

/// What cannot be, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A sentence without its end.
    pub problem: String,
    /// What to write, as a request.
    pub remedy: String,
}

impl Refusal {
    fn unless(able: &[Engine], engine: Engine, deed: &str, instead: &str) -> Option<Self> {
        if able.contains(&engine) {
            return None;
        }
        let names: Vec<&str> = able.iter().map(|engine| engine.as_str()).collect();
        let mut ways = Vec::new();
        if !instead.is_empty() {
            ways.push(instead.to_owned());
        }
        if !names.is_empty() {
            ways.push(format!("engine: {}", names.join(" or ")));
        }
        Some(Self {
            problem: format!("engine {} cannot {deed}", engine.as_str()),
            remedy: format!("write {}", ways.join(", or ")),
        })
    }

    fn rule(&self, expression: &str) -> Rule {
        rule(expression, &format!("{}: {}", self.problem, self.remedy))
    }
}

fn rule(expression: &str, message: &str) -> Rule {
    Rule::new(expression).message(message)
}

/// Adds to the schema of an output what does not depend on the engine.
pub fn add_output_rules(schema: &mut Schema) {
    add(schema, output_rules());
}

/// Adds to the schema of a policy's spec what its engines cannot do.
pub fn add_engine_rules(schema: &mut Schema) {
    add(schema, Engine::ALL.into_iter().flat_map(engine_rules).collect());
}

fn add(schema: &mut Schema, rules: Vec<Rule>) {
    for rule in rules {
        // A rule is two texts, which always become JSON.
        let added = validate(schema, rule);
        debug_assert!(added.is_ok(), "{added:?}");
    }
}

/// The names of all destinations, for messages.
pub fn destinations() -> String {
    OUTPUTS
        .iter()
        .map(|output| output.field)
        .collect::<Vec<_>>()
        .join(", ")
}

fn output_rules() -> Vec<Rule> {
    let has: Vec<String> = OUTPUTS
        .iter()
        .map(|output| format!("has(self.{})", output.field))
        .collect();
    let count = format!("[{}].filter(x, x).size() == 1", has.join(", "));
    let sentence = format!(
        "an output has exactly one destination: write one of {}",
        destinations()
    );
    let mut rules = vec![rule(&count, &sentence)];
    rules.extend(encryption_rules());
    for output in OUTPUTS
        .iter()
        .filter(|output| output.encryption != Encryption::NoNetwork)
    {
        let field = output.field;
        if let Some(misfit) = output.tls_misfit() {
            rules.push(misfit.rule(&format!("!(has(self.{field}) && has(self.tls))")));
        }
        let misfits = AuthMethod::ALL.map(|method| (method, output.auth_misfit(method)));
        if let [(_, Some(misfit)), (_, Some(_))] = &misfits {
            rules.push(misfit.rule(&format!("!(has(self.{field}) && has(self.auth))")));
            continue;
        }
        for (method, misfit) in misfits {
            if let Some(misfit) = misfit {
                let method = method.field();
                rules.push(misfit.rule(&format!(
                    "!(has(self.{field}) && has(self.auth) && has(self.auth.{method}))"
                )));
            }
        }
    }
    rules
}

fn encryption_rules() -> [Rule; 2] {
    let mut local = Vec::new();
    let mut encrypted = Vec::new();
    for output in OUTPUTS {
        let field = output.field;
        match output.encryption {
            Encryption::NoNetwork => local.push(field),
            Encryption::Tls | Encryption::Always | Encryption::Own => {}
            Encryption::Scheme(url) => {
                encrypted.push(format!(
                    "(!has(self.{field}) || self.{field}.{url}.startsWith('https:'))"
                ));
            }
        }
    }
    let has: Vec<String> = local.iter().map(|field| format!("has(self.{field})")).collect();
    [
        rule(
            &format!("!({}) || !(has(self.auth) || has(self.tls))", has.join(" || ")),
            &format!("{} use no network: remove auth and tls", local.join(" and ")),
        ),
        rule(
            &format!("!has(self.tls) || ({})", encrypted.join(" && ")),
            "tls is set, but the address starts with http://: write https:// or remove tls",
        ),
    ]
}

/// The rules of the spec about one engine, whichever pattern it serves.
fn engine_rules(engine: Engine) -> Vec<Rule> {
    let name = engine.as_str();
    let no_output = |condition: String| {
        format!(
            "!(has(self.nodeAgent) && self.nodeAgent.engine == '{name}' || has(self.agentSidecar) && self.agentSidecar.engine == '{name}') \
             || !self.outputs.exists(o, {condition})"
        )
    };
    let mut rules = Vec::new();
    for output in OUTPUTS {
        let field = output.field;
        if let Some(refusal) = output.refusal(engine) {
            rules.push(refusal.rule(&no_output(format!("has(o.{field})"))));
        }
        for method in AuthMethod::ALL {
            if let Some(refusal) = output.auth_refusal(method, engine) {
                let method = method.field();
                let condition = format!("has(o.{field}) && has(o.auth) && has(o.auth.{method})");
                rules.push(refusal.rule(&no_output(condition)));
            }
        }
    }
    for (when_full, _) in WHEN_FULL {
        if let Some(refusal) = when_full_refusal(when_full, engine) {
            rules.push(refusal.rule(&no_output(format!("o.buffer.whenFull == '{when_full:?}'"))));
        }
    }
    rules
}

/// The table as a page of the documentation.
pub fn page() -> String {
    let mut text = String::from(
        "<!-- Generated from crds/src/support.rs by `cargo gen`. -->\n# What each engine can do\n\nThe API server refuses a policy that \
         asks an engine for what it cannot do, and says what to write instead. [Outputs](../outputs.md) says how each is done.\n",
    );
    let columns: Vec<&str> = Engine::ALL.iter().map(|engine| engine.as_str()).collect();
    let head = |title: &str, text: &mut String| {
        let _ = write!(
            text,
            "\n| {title} | `{}` |\n|---|{}\n",
            columns.join("` | `"),
            "---|".repeat(columns.len())
        );
    };
    head("output", &mut text);
    for output in OUTPUTS {
        let cells = Engine::ALL.map(|engine| cell(output, engine));
        let _ = writeln!(text, "| `{}` | {} |", output.field, cells.join(" | "));
    }
    head("`buffer.whenFull`", &mut text);
    for (when_full, _) in WHEN_FULL {
        let cells = Engine::ALL.map(|engine| match when_full_refusal(when_full, engine) {
            None => "yes".to_owned(),
            Some(refusal) => format!("no: {}", refusal.remedy),
        });
        let _ = writeln!(text, "| `{when_full:?}` | {} |", cells.join(" | "));
    }
    text
}

fn cell(output: &OutputSupport, engine: Engine) -> String {
    if let Some(refusal) = output.refusal(engine) {
        return format!("no: {}", refusal.remedy);
    }
    let methods: Vec<String> = AuthMethod::ALL
        .into_iter()
        .filter(|method| output.auth(*method).contains(&engine))
        .map(|method| format!("`auth.{}`", method.field()))
        .collect();
    if methods.is_empty() {
        "yes".to_owned()
    } else {
        format!("yes, with {}", methods.join(" or "))
    }
}
