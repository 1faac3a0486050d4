//! From a policy to a checked pipeline.
//!
//! What the resource's schema refuses is refused here again: a policy may come from a file, or from a cluster whose schema
//! is of another version.

use tributary_crds::auth;
use tributary_crds::condition::{self, Condition, Field};
use tributary_crds::output;
use tributary_crds::policy::{Engine, LoggingPolicySpec, NodeAgent};

use crate::CompileError;
use crate::pipeline::{Auth, Buffer, Destination, Output, Pipeline, Predicate, Subject, Test, Tls};
use crate::quantity::parse_bytes;
use crate::re2;
use crate::selector;
use crate::support;
use crate::url::Url;

/// The memory limit of an agent whose policy sets none, as the policy's documentation says.
const DEFAULT_MEMORY_LIMIT: u64 = 512 << 20;
/// An idle collector uses some 50 MiB; with less than this it would hold its receiver back all the time.
const LEAST_MEMORY_LIMIT: u64 = 128 << 20;
/// The smallest buffer that holds a batch of the longest lines.
const LEAST_BUFFER: u64 = 16 << 20;
/// Beyond it, sizes do not fit the engines' signed numbers.
const LARGEST_BUFFER: u64 = 1 << 60;
const FILE_DIRECTORY: &str = "/var/log/tributary/";

/// Compiles the node agent's part of a policy.
pub fn compile(policy_name: &str, spec: &LoggingPolicySpec) -> Result<Pipeline, CompileError> {
    let agent = spec.node_agent.as_ref().ok_or(CompileError::NoNodeAgent)?;
    check_name("metadata.name", policy_name)?;
    let mut selection = Vec::new();
    if let Some(namespaces) = &spec.selector.namespace_selector {
        selection.extend(selector::of_namespaces(
            "spec.selector.namespaceSelector",
            namespaces,
        )?);
    }
    if let Some(pods) = &spec.selector.pod_selector {
        selection.extend(selector::of_pods("spec.selector.podSelector", pods)?);
    }
    if spec.outputs.is_empty() {
        return Err(CompileError::field(
            "spec.outputs",
            "is empty",
            "add at least one output for nodeAgent to send to",
        ));
    }
    let mut outputs: Vec<Output> = Vec::with_capacity(spec.outputs.len());
    for (index, output) in spec.outputs.iter().enumerate() {
        let place = format!("spec.outputs[{index}]");
        if outputs.iter().any(|earlier| earlier.name == output.name) {
            let problem = format!("is {:?}, as an earlier output's", output.name);
            return Err(CompileError::field(
                format!("{place}.name"),
                problem,
                "give each output its own name",
            ));
        }
        let output = compile_output(&place, output, agent.engine)?;
        let is_file = matches!(output.destination, Destination::File { .. });
        if is_file
            && outputs
                .iter()
                .any(|earlier| earlier.destination == output.destination)
        {
            let field = format!("{place}.file.path");
            return Err(CompileError::field(
                field,
                "is also an earlier output's",
                "give each output its own file",
            ));
        }
        outputs.push(output);
    }
    Ok(Pipeline {
        policy: policy_name.to_owned(),
        engine: agent.engine,
        selection,
        outputs,
        memory_limit: memory_limit(agent)?,
    })
}

fn memory_limit(agent: &NodeAgent) -> Result<u64, CompileError> {
    let Some(quantity) = agent
        .pod
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.get("memory"))
    else {
        return Ok(DEFAULT_MEMORY_LIMIT);
    };
    parse_bytes(&quantity.0)
        .filter(|bytes| *bytes >= LEAST_MEMORY_LIMIT)
        .ok_or_else(|| {
            CompileError::field(
                "spec.nodeAgent.pod.resources.limits.memory",
                format!("is {:?}", quantity.0),
                "write a size of at least 128Mi",
            )
        })
}

fn compile_output(place: &str, output: &output::Output, engine: Engine) -> Result<Output, CompileError> {
    check_name(&format!("{place}.name"), &output.name)?;
    let destination = destination(place, output)?;
    let auth = output
        .auth
        .as_ref()
        .map(|auth| compile_auth(&format!("{place}.auth"), auth))
        .transpose()?;
    let tls = output
        .tls
        .as_ref()
        .map(|tls| compile_tls(&format!("{place}.tls"), tls))
        .transpose()?;
    check_transport(place, &destination, auth.is_some(), tls.is_some())?;
    let conditions = output
        .conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| compile_condition(&format!("{place}.where[{index}]"), condition))
        .collect::<Result<_, _>>()?;
    let buffer = compile_buffer(&format!("{place}.buffer"), &output.buffer)?;
    let compiled = Output {
        name: output.name.clone(),
        destination,
        conditions,
        auth,
        tls,
        buffer,
    };
    support::check(place, &compiled, engine)?;
    Ok(compiled)
}

fn destination(place: &str, output: &output::Output) -> Result<Destination, CompileError> {
    let Some(destination) = output.destination() else {
        let remedy = "write exactly one of elasticsearch, loki, otlp, http, stdout and file";
        return Err(CompileError::field(
            place,
            "does not have exactly one destination",
            remedy,
        ));
    };
    Ok(match destination {
        output::Destination::Elasticsearch(to) => Destination::Elasticsearch {
            url: url(&format!("{place}.elasticsearch.url"), &to.url, 9200)?,
            index: check_index(&format!("{place}.elasticsearch.index"), &to.index)?,
        },
        output::Destination::Loki(to) => Destination::Loki {
            url: loki_url(&format!("{place}.loki.url"), &to.url)?,
            tenant_id: match &to.tenant_id {
                Some(tenant) => Some(check_header_value(&format!("{place}.loki.tenantId"), tenant)?),
                None => None,
            },
        },
        output::Destination::Otlp(to) => Destination::Otlp {
            endpoint: otlp_url(&format!("{place}.otlp.endpoint"), to)?,
            protocol: to.protocol,
        },
        output::Destination::Http(to) => {
            let mut headers = std::collections::BTreeMap::new();
            for (name, value) in &to.headers {
                let field = format!("{place}.http.headers");
                check_header_name(&field, name)?;
                headers.insert(name.clone(), check_header_value(&field, value)?);
            }
            Destination::Http {
                url: http_url(&format!("{place}.http.url"), &to.url)?,
                headers,
            }
        }
        output::Destination::Stdout => Destination::Stdout,
        output::Destination::File(to) => Destination::File {
            name: file_name(&format!("{place}.file.path"), &to.path)?,
        },
    })
}

fn url(field: &str, text: &str, default_port: u16) -> Result<Url, CompileError> {
    Url::parse(text, default_port).map_err(|problem| {
        CompileError::field(
            field,
            problem,
            "write an absolute URL without credentials, such as https://host.namespace:8443/path",
        )
    })
}

fn http_url(field: &str, text: &str) -> Result<Url, CompileError> {
    let url = url(field, text, 80)?;
    if !url.path.is_empty() && !url.path.starts_with("/?") {
        return Ok(url);
    }
    Err(CompileError::field(
        field,
        "has no path",
        "write where to POST, such as https://collector.logging/logs",
    ))
}

fn loki_url(field: &str, text: &str) -> Result<Url, CompileError> {
    let url = url(field, text, 3100)?;
    if url.path.is_empty() {
        return Ok(url);
    }
    Err(CompileError::field(
        field,
        format!("has the path {:?}", url.path),
        "write the server's base URL, such as http://loki.logging:3100",
    ))
}

fn otlp_url(field: &str, otlp: &output::Otlp) -> Result<Url, CompileError> {
    let (default_port, grpc) = match otlp.protocol {
        output::OtlpProtocol::Http => (4318, false),
        output::OtlpProtocol::Grpc => (4317, true),
    };
    let url = url(field, &otlp.endpoint, default_port)?;
    if grpc && !url.path.is_empty() {
        return Err(CompileError::field(
            field,
            "has a path, which gRPC does not use",
            "remove the path, or write protocol: Http",
        ));
    }
    Ok(url)
}

fn file_name(field: &str, path: &str) -> Result<String, CompileError> {
    let name = path.strip_prefix(FILE_DIRECTORY).filter(|name| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !name.is_empty() && name.len() <= 200 && name.chars().all(plain) && !name.chars().all(|c| c == '.')
    });
    name.map(str::to_owned).ok_or_else(|| {
        CompileError::field(
            field,
            format!("is {path:?}"),
            "write a file directly in /var/log/tributary/, such as /var/log/tributary/all.jsonl",
        )
    })
}

fn compile_auth(place: &str, auth: &auth::Auth) -> Result<Auth, CompileError> {
    match (&auth.basic, &auth.bearer) {
        (Some(basic), None) => {
            let field = format!("{place}.basic.username");
            if basic.username.is_empty()
                || basic.username.contains(':')
                || basic.username.contains(char::is_control)
            {
                let problem = format!("is {:?}", basic.username);
                return Err(CompileError::field(
                    field,
                    problem,
                    "write a user name without colons and control characters",
                ));
            }
            let password = check_secret(
                &format!("{place}.basic.passwordSecretRef"),
                &basic.password_secret_ref,
            )?;
            Ok(Auth::Basic {
                username: basic.username.clone(),
                password,
            })
        }
        (None, Some(bearer)) => Ok(Auth::Bearer {
            token: check_secret(
                &format!("{place}.bearer.tokenSecretRef"),
                &bearer.token_secret_ref,
            )?,
        }),
        (Some(_), Some(_)) | (None, None) => Err(CompileError::field(
            place,
            "does not have exactly one method",
            "write basic or bearer",
        )),
    }
}

fn compile_tls(place: &str, tls: &auth::Tls) -> Result<Tls, CompileError> {
    let ca = match &tls.ca_secret_ref {
        Some(ca) => Some(check_secret(&format!("{place}.caSecretRef"), ca)?),
        None => None,
    };
    if let Some(name) = &tls.server_name {
        let valid = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if name.is_empty() || !name.chars().all(valid) {
            let field = format!("{place}.serverName");
            return Err(CompileError::field(
                field,
                format!("is {name:?}"),
                "write a DNS name or an IP address",
            ));
        }
    }
    Ok(Tls {
        ca,
        server_name: tls.server_name.clone(),
        insecure_skip_verify: tls.insecure_skip_verify,
    })
}

/// A destination that uses no network takes neither auth nor tls; one that starts with `http:` takes no tls.
fn check_transport(
    place: &str,
    destination: &Destination,
    auth: bool,
    tls: bool,
) -> Result<(), CompileError> {
    let https = match destination {
        Destination::Elasticsearch { url, .. }
        | Destination::Loki { url, .. }
        | Destination::Http { url, .. } => url.https,
        Destination::Otlp { endpoint, .. } => endpoint.https,
        Destination::Stdout | Destination::File { .. } if auth || tls => {
            return Err(CompileError::field(
                place,
                "uses no network",
                "remove auth and tls",
            ));
        }
        Destination::Stdout | Destination::File { .. } => return Ok(()),
    };
    if tls && !https {
        let remedy = "write https:// in the address, or remove tls";
        return Err(CompileError::field(
            format!("{place}.tls"),
            "is set, but the address starts with http://",
            remedy,
        ));
    }
    Ok(())
}

fn compile_buffer(place: &str, buffer: &output::Buffer) -> Result<Buffer, CompileError> {
    let max_size = parse_bytes(&buffer.max_size)
        .filter(|size| (LEAST_BUFFER..=LARGEST_BUFFER).contains(size))
        .ok_or_else(|| {
            let problem = format!("is {:?}", buffer.max_size);
            CompileError::field(
                format!("{place}.maxSize"),
                problem,
                "write a size of at least 16Mi, such as 512Mi or 2Gi",
            )
        })?;
    Ok(Buffer {
        max_size,
        when_full: buffer.when_full,
    })
}

fn compile_condition(place: &str, condition: &Condition) -> Result<Predicate, CompileError> {
    let field = Field::parse(&condition.field).filter(|field| match field {
        Field::Label(key) => key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c)),
        Field::Message
        | Field::Stream
        | Field::NamespaceName
        | Field::PodName
        | Field::PodId
        | Field::ContainerName
        | Field::Host => true,
    });
    let field = field.ok_or_else(|| {
        let remedy = "write message, stream, kubernetes.namespace_name, kubernetes.pod_name, kubernetes.pod_id, \
                      kubernetes.container_name, kubernetes.host or kubernetes.labels.KEY";
        CompileError::field(format!("{place}.field"), format!("is {:?}, which no record has", condition.field), remedy)
    })?;
    let Some(test) = condition.test() else {
        let remedy = "write one of in, notIn, matches, notMatches, exists";
        return Err(CompileError::field(
            place,
            "does not make exactly one test",
            remedy,
        ));
    };
    let test = match test {
        condition::Test::In(values) => Test::In(check_values(&format!("{place}.in"), values)?),
        condition::Test::NotIn(values) => Test::NotIn(check_values(&format!("{place}.notIn"), values)?),
        condition::Test::Matches(pattern) => {
            Test::Matches(check_pattern(&format!("{place}.matches"), pattern)?)
        }
        condition::Test::NotMatches(pattern) => {
            Test::NotMatches(check_pattern(&format!("{place}.notMatches"), pattern)?)
        }
        condition::Test::Exists(present) => Test::Exists(present),
    };
    Ok(Predicate {
        subject: Subject::Record(field),
        test,
    })
}

fn check_values(field: &str, values: &[String]) -> Result<Vec<String>, CompileError> {
    if values.is_empty() {
        return Err(CompileError::field(field, "is empty", "list at least one value"));
    }
    Ok(values.to_vec())
}

fn check_pattern(field: &str, pattern: &str) -> Result<String, CompileError> {
    match regex::Regex::new(&re2::portable(pattern)) {
        Ok(_) if !pattern.is_empty() => Ok(pattern.to_owned()),
        _ => Err(CompileError::field(
            field,
            format!("is {pattern:?}, which is not a regular expression"),
            "write RE2 syntax (no look-around, no back-references)",
        )),
    }
}

fn check_name(field: &str, name: &str) -> Result<(), CompileError> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=40).contains(&name.len())
        && name.chars().all(valid)
        && !name.starts_with('-')
        && !name.ends_with('-')
    {
        return Ok(());
    }
    let remedy = "write at most 40 lower-case letters, digits and dashes, with a letter or digit at each end";
    Err(CompileError::field(field, format!("is {name:?}"), remedy))
}

fn check_index(field: &str, index: &str) -> Result<String, CompileError> {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if index.len() <= 255 && index.starts_with(first) && index.chars().all(|c| first(c) || "._-".contains(c))
    {
        return Ok(index.to_owned());
    }
    let remedy = "write at most 255 lower-case letters, digits, dots, underscores and dashes, starting with a letter or digit";
    Err(CompileError::field(field, format!("is {index:?}"), remedy))
}

fn check_secret(field: &str, reference: &auth::SecretKeyRef) -> Result<auth::SecretKeyRef, CompileError> {
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    let key = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    // A key becomes a file's name, and a name a directory's.
    let no_dots = |text: &str| !text.starts_with("..") && text != ".";
    let valid = |text: &str, character: &dyn Fn(char) -> bool| {
        (1..=253).contains(&text.len()) && text.chars().all(character) && no_dots(text)
    };
    if valid(&reference.name, &name) && valid(&reference.key, &key) {
        return Ok(reference.clone());
    }
    let problem = format!("is {:?} / {:?}", reference.name, reference.key);
    Err(CompileError::field(
        field,
        problem,
        "write the name of a Secret in tributary-agents and one of its keys",
    ))
}

fn check_header_name(field: &str, name: &str) -> Result<(), CompileError> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#%&*+-.^_`|~".contains(c);
    let fail = |problem: String, remedy: &str| Err(CompileError::field(field, problem, remedy));
    if name.is_empty() || !name.chars().all(token) {
        return fail(
            format!("has {name:?}, which is no header's name"),
            "write letters, digits and dashes",
        );
    }
    match name.to_ascii_lowercase().as_str() {
        "authorization" => fail(
            format!("has {name:?}"),
            "a policy is no place for a secret: write auth.basic or auth.bearer",
        ),
        "host" | "content-length" | "transfer-encoding" | "connection" | "content-encoding" => {
            fail(format!("has {name:?}"), "remove it: the agent sets it")
        }
        _ => Ok(()),
    }
}

fn check_header_value(field: &str, value: &str) -> Result<String, CompileError> {
    if !value.is_empty() && value.chars().all(|c| (' '..='~').contains(&c)) && value.trim() == value {
        return Ok(value.to_owned());
    }
    let remedy = "write printable ASCII characters without spaces at the ends";
    Err(CompileError::field(
        field,
        format!("has the value {value:?}"),
        remedy,
    ))
}
