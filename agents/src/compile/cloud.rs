//! Destinations of the public clouds.

use tributary_crds::auth::SecretKeyRef;
use tributary_crds::destination::{AzureMonitor, BigQuery, CloudWatch, Gcs, GoogleCloudLogging, PubSub, S3};

use super::credentials::{check_secret, compile_aws};
use super::template::{self, KEY_PREFIXES, LOG_GROUPS};
use super::text::{base_url, name};
use crate::CompileError;
use crate::pipeline::{
    AwsCredentials, AzureTable, Bucket, GoogleBucket, GoogleLog, GoogleTable, GoogleTopic, LogGroup,
};
use crate::template::Template;

/// Checks a bucket of S3. `place` is its path, for messages; so it is in what follows.
pub fn s3(place: &str, s3: &S3) -> Result<Bucket, CompileError> {
    let endpoint = s3.endpoint.as_deref().map(|endpoint| {
        let field = format!("{place}.endpoint");
        base_url(&field, endpoint, 443, "https://minio.storage:9000")
    });
    Ok(Bucket {
        name: name(
            &format!("{place}.bucket"),
            &s3.bucket,
            63,
            ".-",
            "letters, digits, dots and dashes",
        )?,
        region: region(&format!("{place}.region"), &s3.region)?,
        prefix: key_prefix(place, s3.prefix.as_deref())?,
        endpoint: endpoint.transpose()?,
        credentials: aws(place, s3.credentials.as_ref())?,
    })
}

/// Checks a log group of `CloudWatch`.
pub fn log_group(place: &str, group: &CloudWatch) -> Result<LogGroup, CompileError> {
    let checked = |field: &str, text: &str| template::compile(&format!("{place}.{field}"), text, &LOG_GROUPS);
    if let Some(days) = group.retention_days
        && !CloudWatch::RETENTIONS.contains(&days)
    {
        let remedy = format!("write one of {:?}", CloudWatch::RETENTIONS);
        return Err(CompileError::field(
            format!("{place}.retentionDays"),
            format!("is {days}"),
            remedy,
        ));
    }
    Ok(LogGroup {
        region: region(&format!("{place}.region"), &group.region)?,
        name: checked("logGroup", &group.log_group)?,
        stream: group
            .log_stream
            .as_deref()
            .map(|stream| checked("logStream", stream))
            .transpose()?,
        retention_days: group.retention_days,
        credentials: aws(place, group.credentials.as_ref())?,
    })
}

/// Checks a log of Google Cloud.
pub fn google_log(place: &str, log: &GoogleCloudLogging) -> Result<GoogleLog, CompileError> {
    let checked = |field: &str, text: &str| {
        let characters = "letters, digits, dots, dashes and underscores";
        name(&format!("{place}.{field}"), text, 255, "_.-", characters)
    };
    Ok(GoogleLog {
        project: project(place, &log.project_id)?,
        name: checked("logName", &log.log_name)?,
        cluster: checked("clusterName", &log.cluster_name)?,
        location: region(&format!("{place}.location"), &log.location)?,
        key: google_key(place, log.credentials_secret_ref.as_ref())?,
    })
}

/// Checks a table of `BigQuery`.
pub fn google_table(place: &str, table: &BigQuery) -> Result<GoogleTable, CompileError> {
    let checked = |field: &str, text: &str, punctuation: &str, characters: &str| {
        name(&format!("{place}.{field}"), text, 255, punctuation, characters)
    };
    Ok(GoogleTable {
        project: project(place, &table.project_id)?,
        dataset: checked("dataset", &table.dataset, "_", "letters, digits and underscores")?,
        name: checked(
            "table",
            &table.table,
            "_-",
            "letters, digits, underscores and dashes",
        )?,
        key: google_key(place, table.credentials_secret_ref.as_ref())?,
    })
}

/// Checks a bucket of Google Cloud Storage.
pub fn google_bucket(place: &str, bucket: &Gcs) -> Result<GoogleBucket, CompileError> {
    Ok(GoogleBucket {
        name: name(
            &format!("{place}.bucket"),
            &bucket.bucket,
            222,
            "._-",
            "letters, digits, dots, dashes and underscores",
        )?,
        prefix: key_prefix(place, bucket.prefix.as_deref())?,
        key: google_key(place, bucket.credentials_secret_ref.as_ref())?,
    })
}

/// Checks a topic of Pub/Sub.
pub fn google_topic(place: &str, topic: &PubSub) -> Result<GoogleTopic, CompileError> {
    Ok(GoogleTopic {
        project: project(place, &topic.project_id)?,
        name: name(
            &format!("{place}.topic"),
            &topic.topic,
            255,
            "_.~+-",
            "letters, digits, dots, dashes, underscores, tildes and plus signs",
        )?,
        key: google_key(place, topic.credentials_secret_ref.as_ref())?,
    })
}

/// Checks a table of Azure Monitor.
pub fn azure_table(place: &str, table: &AzureMonitor) -> Result<AzureTable, CompileError> {
    const EXAMPLE: &str = "https://logs-x1y2.westeurope-1.ingest.monitor.azure.com";
    let field = format!("{place}.endpoint");
    let endpoint = base_url(&field, &table.endpoint, 443, EXAMPLE)?;
    if !endpoint.https {
        let remedy = format!("write an address that begins with https://, such as {EXAMPLE}");
        return Err(CompileError::field(field, "begins with http://", remedy));
    }
    if !table.table.ends_with("_CL") {
        let problem = format!("is {:?}, which is no custom table", table.table);
        let remedy = "write a table whose name ends in _CL";
        return Err(CompileError::field(format!("{place}.table"), problem, remedy));
    }
    let checked = |field: &str, text: &str, punctuation: &str, characters: &str| {
        name(&format!("{place}.{field}"), text, 64, punctuation, characters)
    };
    Ok(AzureTable {
        endpoint,
        rule: checked("ruleId", &table.rule_id, "-", "letters, digits and dashes")?,
        name: checked("table", &table.table, "_", "letters, digits and underscores")?,
        tenant: checked(
            "tenantId",
            &table.tenant_id,
            ".-",
            "letters, digits, dots and dashes",
        )?,
        client: checked("clientId", &table.client_id, "-", "letters, digits and dashes")?,
        client_secret: check_secret(&format!("{place}.clientSecretRef"), &table.client_secret_ref)?,
    })
}

fn region(field: &str, region: &str) -> Result<String, CompileError> {
    name(field, region, 63, "-", "letters, digits and dashes")
}

fn project(place: &str, project: &str) -> Result<String, CompileError> {
    let field = format!("{place}.projectId");
    name(
        &field,
        project,
        63,
        ":.-",
        "letters, digits, dashes, dots and colons",
    )
}

fn aws(
    place: &str,
    credentials: Option<&tributary_crds::destination::AwsCredentials>,
) -> Result<Option<AwsCredentials>, CompileError> {
    credentials
        .map(|credentials| compile_aws(&format!("{place}.credentials"), credentials))
        .transpose()
}

fn google_key(place: &str, key: Option<&SecretKeyRef>) -> Result<Option<SecretKeyRef>, CompileError> {
    key.map(|key| check_secret(&format!("{place}.credentialsSecretRef"), key))
        .transpose()
}

fn key_prefix(place: &str, prefix: Option<&str>) -> Result<Option<Template>, CompileError> {
    let field = format!("{place}.prefix");
    prefix
        .map(|prefix| template::compile(&field, prefix, &KEY_PREFIXES))
        .transpose()
}
