//! The real Elasticsearch; fetches 81 MB once and takes half a minute: `cargo test -p tributary-cluster -- --ignored`.

use std::net::TcpListener;

use serde_json::json;
use tributary_cluster::Elasticsearch;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "fetches Elasticsearch from Maven Central, and takes half a minute"]
async fn documents_are_found_by_those_who_know_the_password_and_the_authority() {
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let elasticsearch = Elasticsearch::start(address, &["logs.example.test"])
        .await
        .unwrap();

    for number in 0..3 {
        let document = json!({ "number": number, "body": "a line" });
        elasticsearch
            .request("POST", "/logs/_doc", &document)
            .await
            .unwrap();
    }
    let query = json!({ "query": { "range": { "number": { "gte": 1 } } } });
    assert_eq!(elasticsearch.search("logs", &query).await.unwrap().len(), 2);
    let all = json!({ "query": { "match_all": {} } });
    assert!(elasticsearch.search("nothing", &all).await.unwrap().is_empty());

    let certificate = reqwest::Certificate::from_pem(elasticsearch.authority().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .add_root_certificate(certificate)
        .build()
        .unwrap();
    let anonymous = client.get(elasticsearch.url()).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    let request = client.get(format!("{}/_cluster/health", elasticsearch.url()));
    let known = request.basic_auth(elasticsearch.username(), Some(elasticsearch.password()));
    assert_eq!(known.send().await.unwrap().status(), 200);
    let stranger = reqwest::Client::new().get(elasticsearch.url()).send().await;
    assert!(stranger.is_err());

    let url = elasticsearch.url().to_owned();
    drop(elasticsearch);
    assert!(client.get(url).send().await.is_err());
}
