//! `tributary check`.

mod changes;
mod mistakes;
mod statuses;
mod validators;

/// What every policy of these tests begins with; five lines.
const HEAD: &str = "\
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata:
  name: default
spec:
";

/// A policy with nothing wrong.
const GOOD: &str = "\
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata:
  name: default
spec:
  nodeAgent: {}
  outputs:
  - name: search
    elasticsearch:
      url: https://search.logging:9200
      index: app-logs
    auth:
      basic: {username: tributary, passwordSecretRef: {name: search, key: password}}
  - name: console
    stdout: {}
";
