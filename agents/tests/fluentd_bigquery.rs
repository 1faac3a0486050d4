//! Runs the script that streams to `BigQuery` against a server that answers as the API's documentation says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with other tests")]
mod fluentd_scripts;

use serde_json::{Value, json};

use fluentd_scripts::{has_ruby, rendered, run};

/// What was asked of the server, what became of the chunks, and what was said.
fn sent(input: &Value) -> Value {
    let spec = json!({"nodeAgent": {"engine": "Fluentd"}, "outputs": [{"name": "out", "stdout": {}}]});
    run(
        "bigquery.rb",
        &rendered(&serde_json::from_value(spec).unwrap()),
        input,
    )
}

/// A chunk whose rows are these messages.
fn chunk(id: &str, messages: &[&str]) -> Value {
    let rows = messages.iter().map(|message| json!({"message": message}));
    json!([id, rows.collect::<Vec<_>>()])
}

/// The rows of each request, as identifier and message.
fn requests(sent: &Value) -> Vec<Vec<(&str, &str)>> {
    let inserts = sent["inserts"].as_array().unwrap().iter();
    inserts
        .map(|insert| {
            let rows = insert["body"]["rows"].as_array().unwrap().iter();
            rows.map(|row| {
                (
                    row["insertId"].as_str().unwrap(),
                    row["json"]["message"].as_str().unwrap(),
                )
            })
            .collect()
        })
        .collect()
}

fn messages(sent: &Value) -> Vec<String> {
    let joined = requests(sent)
        .into_iter()
        .map(|rows| rows.into_iter().map(|(_, message)| message).collect());
    joined.collect()
}

/// What is said of rows that could not be taken: each index with its reason and message.
fn failing(rows: &[(usize, &str, &str)]) -> Value {
    let errors = rows.iter().map(|(index, reason, message)| {
        json!({"index": index, "errors": [{"reason": reason, "location": "time", "debugInfo": "", "message": message}]})
    });
    json!([200, {"kind": "bigquery#tableDataInsertAllResponse", "insertErrors": errors.collect::<Vec<_>>()}])
}

fn failure(status: u16, message: &str) -> Value {
    json!([status, {"error": {"code": status, "message": message, "errors": [{"reason": "x"}]}}])
}

#[test]
fn rows_are_sent_as_the_method_asks_for() {
    if !has_ruby() {
        return;
    }
    let sent =
        sent(&json!({"key": false, "answers": [], "chunks": [chunk("\u{1}z", &["a", "b\n\u{0}\u{fffd}"])]}));
    assert_eq!(
        sent["inserts"],
        json!([{
            "path": "/bigquery/v2/projects/my-project/datasets/logs/tables/apps/insertAll",
            "authorization": "Bearer token-1",
            "body": {
                "kind": "bigquery#tableDataInsertAllRequest",
                "skipInvalidRows": true,
                "rows": [
                    {"insertId": "017a-0", "json": {"message": "a"}},
                    {"insertId": "017a-1", "json": {"message": "b\n\u{0}\u{fffd}"}},
                ],
            },
        }])
    );
    assert_eq!(
        sent["tokens"],
        json!([{"path": "/computeMetadata/v1/instance/service-accounts/default/token", "flavor": "Google"}])
    );
    assert_eq!(
        (&sent["results"], &sent["said"]),
        (&json!([["done"]]), &json!([]))
    );
}

#[test]
fn a_service_account_asks_for_tokens_that_its_key_signs() {
    if !has_ruby() {
        return;
    }
    let sent = sent(&json!({"key": true, "answers": [], "chunks": [chunk("z", &["a"]), chunk("y", &["b"])]}));
    let tokens = sent["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 1, "the token is kept");
    assert_eq!(tokens[0]["verified"], true);
    assert_eq!(tokens[0]["grant"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(
        tokens[0]["header"],
        json!({"alg": "RS256", "typ": "JWT", "kid": "7"})
    );
    let claims = &tokens[0]["claims"];
    assert_eq!(claims["iss"], "agent@my-project.example");
    assert_eq!(
        claims["scope"],
        "https://www.googleapis.com/auth/bigquery.insertdata"
    );
    assert!(claims["aud"].as_str().unwrap().ends_with("/token"));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );
}

#[test]
fn a_token_is_replaced_before_it_ends_and_when_it_is_refused() {
    if !has_ruby() {
        return;
    }
    let sent = sent(&json!({
        "key": false,
        // Shorter than what a token is replaced before, then long enough.
        "tokens": [100, 3600, 3600],
        "answers": [[200, {}], failure(401, "Invalid Credentials")],
        "chunks": [chunk("z", &["a"]), chunk("y", &["b"])],
    }));
    assert_eq!(sent["results"], json!([["done"], ["done"]]));
    let used = sent["inserts"].as_array().unwrap().iter();
    let used: Vec<&str> = used
        .map(|insert| insert["authorization"].as_str().unwrap())
        .collect();
    assert_eq!(used, ["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
}

#[test]
fn a_key_that_is_none_is_said_and_nothing_is_lost() {
    if !has_ruby() {
        return;
    }
    for text in [
        "",
        "{}",
        "{\"token_uri\":\"http://127.0.0.1:1/\",\"client_email\":\"a\",\"private_key\":\"b\"}",
    ] {
        let sent =
            sent(&json!({"key": true, "key_text": text, "answers": [], "chunks": [chunk("z", &["a"])]}));
        let said = sent["results"][0][2].as_str().unwrap();
        assert!(said.contains("is no key of a service account"), "{said}");
        assert_eq!(sent["inserts"], json!([]));
    }
}

#[test]
fn what_may_pass_is_tried_again_with_the_same_identifiers() {
    if !has_ruby() {
        return;
    }
    let cases = [
        (401, "credentialsSecretRef"),
        (403, "BigQuery Data Editor"),
        (404, "create the table"),
        (408, ""),
        (429, ""),
        (503, ""),
    ];
    let mut answers = Vec::new();
    for (status, _) in cases {
        // A refused token is replaced and tried once more before.
        let refusals = if status == 401 { 2 } else { 1 };
        answers.extend(vec![failure(status, "Why."); refusals]);
        answers.push(json!([200, {}]));
    }
    let chunks: Vec<Value> = cases
        .iter()
        .map(|(status, _)| chunk(&status.to_string(), &["a", "b"]))
        .collect();
    let sent = sent(&json!({"key": false, "answers": answers, "chunks": chunks}));
    for ((status, remedy), results) in cases.iter().zip(sent["results"].as_array().unwrap()) {
        let said = results[0].as_str().unwrap();
        assert!(
            said.starts_with(&format!("{status} Why.")) && said.contains(remedy),
            "{said}"
        );
        assert_eq!(results[1], "done");
    }
    let requests = requests(&sent);
    assert_eq!(requests.len(), answers.len());
    // The first three are those of 401, and then there are two each.
    assert!(
        requests[..3]
            .iter()
            .all(|rows| *rows == [("343031-0", "a"), ("343031-1", "b")])
    );
    assert!(requests[3..].chunks(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn an_answer_that_is_none_is_no_success() {
    if !has_ruby() {
        return;
    }
    let answers = json!([[200, "<html>"], [502, "<html>"]]);
    let sent = sent(&json!({"key": false, "answers": answers, "chunks": [chunk("z", &["a"])]}));
    assert_eq!(messages(&sent), ["a", "a", "a"]);
    assert_eq!(sent["results"][0][2], "done");
}

#[test]
fn a_row_that_is_refused_for_good_is_said_and_the_others_arrive() {
    if !has_ruby() {
        return;
    }
    let answers = json!([failing(&[(1, "invalid", "out of range"), (2, "stopped", "")])]);
    let sent = sent(&json!({"key": false, "answers": answers, "chunks": [chunk("z", &["a", "b", "c"])]}));
    assert_eq!(messages(&sent), ["abc", "c"]);
    assert_eq!(sent["results"], json!([["stopped for some rows", "done"]]));
    let said = sent["said"][0].as_str().unwrap();
    assert!(
        said.contains("will never take 1 rows") && said.contains("time: out of range"),
        "{said}"
    );
}

#[test]
fn refusals_do_not_flood_the_log() {
    if !has_ruby() {
        return;
    }
    let answers: Vec<Value> = vec![failing(&[(0, "invalid", "bad")]); 5];
    let chunks: Vec<Value> = ["z", "y", "x", "w", "v"].map(|id| chunk(id, &["a", "b"])).into();
    let sent = sent(&json!({"key": false, "answers": answers, "chunks": chunks}));
    let said = sent["said"].as_array().unwrap();
    assert_eq!(said.len(), 2, "at once, and at the end: {said:?}");
    assert!(said[0].as_str().unwrap().contains("never take 1 rows"));
    assert!(said[1].as_str().unwrap().contains("never take 4 rows"));
}

#[test]
fn only_what_failed_in_the_service_is_sent_again() {
    if !has_ruby() {
        return;
    }
    let answers = json!([
        failing(&[
            (0, "backendError", ""),
            (2, "internalError", ""),
            (3, "timeout", "")
        ]),
        failing(&[(1, "backendError", "")]),
    ]);
    let sent =
        sent(&json!({"key": false, "answers": answers, "chunks": [chunk("z", &["a", "b", "c", "d"])]}));
    assert_eq!(
        requests(&sent),
        [
            vec![("7a-0", "a"), ("7a-1", "b"), ("7a-2", "c"), ("7a-3", "d")],
            vec![("7a-0", "a"), ("7a-2", "c"), ("7a-3", "d")],
            vec![("7a-2", "c")],
        ]
    );
    assert_eq!(sent["results"][0][2], "done");
    assert_eq!(sent["said"], json!([]));
}

#[test]
fn a_missing_column_is_waited_for() {
    if !has_ruby() {
        return;
    }
    let answers: Vec<Value> = vec![failing(&[(0, "invalid", "no such field: level.")]); 2];
    let sent = sent(&json!({"key": false, "answers": answers, "chunks": [chunk("z", &["a", "b"])]}));
    assert_eq!(messages(&sent), ["ab", "a", "a"]);
    let results = sent["results"][0].as_array().unwrap();
    assert!(
        results[0]
            .as_str()
            .unwrap()
            .contains("add the column to the table")
    );
    assert_eq!((&results[2], &sent["said"]), (&json!("done"), &json!([])));
}

#[test]
fn a_request_that_one_row_spoils_is_halved_until_that_row_is_alone() {
    if !has_ruby() {
        return;
    }
    for status in [400, 413] {
        let refused = failure(status, "Bad.");
        let taken = json!([200, {}]);
        // abcd, ab, a, b, cd
        let answers = json!([refused, refused, taken, refused, taken]);
        let sent =
            sent(&json!({"key": false, "answers": answers, "chunks": [chunk("z", &["a", "b", "c", "d"])]}));
        assert_eq!(messages(&sent), ["abcd", "ab", "a", "b", "cd"]);
        assert_eq!(sent["results"], json!([["done"]]));
        let said = sent["said"][0].as_str().unwrap();
        assert!(
            said.contains("never take 1 rows") && said.contains(&format!("{status} Bad.")),
            "{said}"
        );
    }
}

#[test]
fn a_table_that_takes_no_row_at_all_loses_none() {
    if !has_ruby() {
        return;
    }
    let letters: Vec<String> = ('a'..='p').map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    let all_invalid: Vec<(usize, &str, &str)> = (0..16)
        .map(|at| (at, "invalid", "This field is not a record."))
        .collect();
    // Eight rows are tried alone, in halves of sixteen, before all of them wait.
    let of_view: Vec<Value> = vec![failure(400, "Cannot add rows to a table of type VIEW."); 2 * 16];
    for answers in [vec![failing(&all_invalid); 2], of_view] {
        let sent = sent(&json!({"key": false, "answers": answers, "chunks": [chunk("z", &letters)]}));
        let results = sent["results"][0].as_array().unwrap();
        for result in &results[..2] {
            assert!(result.as_str().unwrap().contains("no row fits the table yet"));
        }
        assert_eq!((&results[2], &sent["said"]), (&json!("done"), &json!([])));
        assert_eq!(messages(&sent).last().unwrap(), "abcdefghijklmnop");
    }
}

#[test]
fn a_chunk_goes_in_requests_that_are_not_too_large() {
    if !has_ruby() {
        return;
    }
    let small: Vec<Value> = (0..5_001).map(|at| json!({"message": at.to_string()})).collect();
    let large: Vec<Value> = vec![json!({"message": "x".repeat(2 << 20)}); 3];
    let sent = sent(&json!({"key": false, "answers": [], "chunks": [["z", small], ["y", large]]}));
    let sizes: Vec<usize> = requests(&sent).iter().map(Vec::len).collect();
    assert_eq!(sizes, [5_000, 1, 2, 1]);
}
