export const PAGE_STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #1c2430; }
section { border-top: 1px solid #d5dbe3; margin-top: 2em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { text-align: right; padding: 0.2em 0.9em; border-bottom: 1px solid #e6eaef; font-variant-numeric: tabular-nums; }
th:first-child { text-align: left; font-weight: 500; }
td small { display: block; color: #5c6b7e; }
ul { list-style: none; padding: 0; }
li::before { margin-right: 0.5em; }
li.met::before { content: "✓"; color: #18794e; }
li.missed::before { content: "✗"; color: #c62a2f; }
li.not-measured::before { content: "–"; color: #5c6b7e; }
.warning { color: #ad5700; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5em; }
`;
