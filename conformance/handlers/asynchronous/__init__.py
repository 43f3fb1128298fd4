"""The conformance handlers written with AsyncDurableContext."""
