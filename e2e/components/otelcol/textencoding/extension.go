// Package textencoding is an encoding extension that writes the bodies of log records as plain text.
//
// It answers to the name and the settings of the contributed distribution's `text_encoding`, as far as exporters use
// it: that module has never been published on its own, so it cannot be required here.
package textencoding

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/encoding"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Config is what a user can set.
type Config struct {
	// Encoding of the text; UTF-8 is the only one that is written.
	Encoding string `mapstructure:"encoding"`
	// MarshalingSeparator stands between two records.
	MarshalingSeparator string `mapstructure:"marshaling_separator"`
}

// Validate refuses encodings that would need a conversion.
func (c *Config) Validate() error {
	if c.Encoding != "utf8" && c.Encoding != "utf-8" {
		return fmt.Errorf("encoding %q: only utf8 is written here", c.Encoding)
	}
	return nil
}

// NewFactory makes the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("text_encoding"),
		func() component.Config { return &Config{Encoding: "utf8", MarshalingSeparator: "\n"} },
		func(_ context.Context, _ extension.Settings, config component.Config) (extension.Extension, error) {
			return &textEncoding{separator: config.(*Config).MarshalingSeparator}, nil
		},
		component.StabilityLevelBeta,
	)
}

var _ encoding.LogsMarshalerExtension = (*textEncoding)(nil)

type textEncoding struct {
	component.StartFunc
	component.ShutdownFunc
	separator string
}

// MarshalLogs joins the bodies of all records, in their order.
func (e *textEncoding) MarshalLogs(logs plog.Logs) ([]byte, error) {
	bodies := make([]string, 0, logs.LogRecordCount())
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				bodies = append(bodies, record.Body().AsString())
			}
		}
	}
	return []byte(strings.Join(bodies, e.separator)), nil
}
