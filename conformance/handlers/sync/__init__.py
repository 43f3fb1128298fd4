"""The conformance handlers written with DurableContext."""
