// Package googleclientauth is the contributed distribution's extension `googleclientauth`, which only gives Google's own its name: that
// module is not in the checksum database, so it cannot be required here.
package googleclientauth

import (
	"github.com/GoogleCloudPlatform/opentelemetry-operations-go/extension/googleclientauthextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

// NewFactory makes the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("googleclientauth"),
		googleclientauthextension.CreateDefaultConfig,
		googleclientauthextension.CreateExtension,
		component.StabilityLevelBeta,
	)
}
