// The part of the profiler's library that the Elasticsearch exporter compiles against. The module itself is not to be
// had from the Go module proxy. Only the exporter's path for profiles uses the identifiers, and Tributary sends logs.
module go.opentelemetry.io/ebpf-profiler

go 1.26
