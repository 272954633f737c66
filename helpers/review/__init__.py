"""Review by eye: a queue of cases, a viewer that composes in the browser, and verdicts that are kept."""
