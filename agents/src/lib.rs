//! Compiles a policy to the configuration of a log agent.
