// Draws every diagram of the page in shades of grey; in the dark the theme's style sheet inverts them.
mermaid.initialize({ startOnLoad: false, theme: "neutral" });
mermaid.run();
