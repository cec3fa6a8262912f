/** How a report looks, in light and in dark, on a desk and on a phone. */
import { markup } from "./html.ts";
import type { Html } from "./html.ts";

/** Islands (i0..i7) and shades (q0..q6) in light. Neighbours can be told apart with every kind of colour vision. */
const light: Html = markup`
  --page: #f4f4f1; --card: #ffffff; --ink: #1b1b19; --soft: #5d5c57; --line: #dedcd5; --bar: #2a78d6;
  --good: #0a6b3d;
  --goodbg: #e2f4e9;
  --bad: #a02525;
  --badbg: #fbe7e5;
  --i0: #2a78d6; --i1: #d9571e; --i2: #118a5f; --i3: #b57900; --i4: #d1548c; --i5: #4a3aa7; --i6: #4d7d0d; --i7: #c23030;
  --q0: #d9e8fb; --q1: #b3d1f6; --q2: #84b4ee; --q3: #5394e3; --q4: #2f74c9; --q5: #1c559c; --q6: #0e376d;
  --qdark: #0e2440; --qlight: #ffffff;
`;

const dark: Html = markup`
  --page: #141413; --card: #1f1f1d; --ink: #edece6; --soft: #a9a79f; --line: #3a3936; --bar: #4b92e6;
  --good: #74d3a0;
  --goodbg: #12321f;
  --bad: #f0938c;
  --badbg: #3b1917;
  --i0: #4b92e6; --i1: #ee7a42; --i2: #2fb587; --i3: #d6a021; --i4: #e580af; --i5: #a297f3; --i6: #8fbc45; --i7: #f07272;
  --q0: #15304f; --q1: #1b4273; --q2: #23589c; --q3: #3375c4; --q4: #5a98e2; --q5: #8fbcf0; --q6: #cfe3fb;
  --qdark: #ffffff; --qlight: #0e2440;
`;

const page: Html = markup`
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; padding-bottom: 8px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 10px; font-size: 16px; }
h3 { margin: 14px 0 6px; font-size: 14px; }
header p { margin: 6px 0; color: var(--soft); overflow-wrap: anywhere; }
.pill { display: inline-block; margin-left: 6px; padding: 1px 10px; border: 1px solid var(--line); border-radius: 99px; background: var(--card); color: var(--ink); font-size: 13px; }
header .remark { padding-left: 10px; border-left: 3px solid var(--i3); }
section { margin: 16px 0; padding: 16px 18px; min-width: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
.pair section { margin: 0; }
.pair + section { margin-top: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin: 12px 0 16px; }
.tile { padding: 12px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile span, .tile small { display: block; color: var(--soft); font-size: 13px; }
.tile b { display: block; font-size: 24px; line-height: 1.3; font-weight: 650; }
.note, .empty { margin: 6px 0; color: var(--soft); font-size: 13.5px; overflow-wrap: anywhere; }
.empty { padding: 18px 0; text-align: center; }
.scroll { overflow: auto; max-width: 100%; }
.tall { max-height: 520px; border: 1px solid var(--line); border-radius: 8px; }
:focus-visible { outline: 2px solid var(--bar); outline-offset: 1px; }
@media (max-width: 860px) { .pair { grid-template-columns: 1fr; } .pair section { margin: 0; } }
@media (max-width: 560px) { header, main { padding-left: 10px; padding-right: 10px; } section { padding: 14px 12px; } .tiles { grid-template-columns: 1fr 1fr; gap: 8px; } .tile b { font-size: 20px; } h1 { font-size: 22px; } .tall { max-height: 420px; } }
`;

const drawings: Html = markup`
svg { display: block; }
svg text { fill: var(--soft); font-size: 12px; font-family: inherit; }
.chart { width: 100%; height: auto; max-height: 360px; }
.grid { stroke: var(--line); }
.axis { stroke: var(--soft); }
.curve { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.dot { fill: var(--c); }
.i0 { --c: var(--i0); }
.i1 { --c: var(--i1); }
.i2 { --c: var(--i2); }
.i3 { --c: var(--i3); }
.i4 { --c: var(--i4); }
.i5 { --c: var(--i5); }
.i6 { --c: var(--i6); }
.i7 { --c: var(--i7); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0 0; padding: 0; list-style: none; color: var(--soft); font-size: 13px; max-height: 120px; overflow: auto; }
.legend b { color: var(--ink); font-weight: 600; }
.legend i, .head i { display: inline-block; width: 11px; height: 11px; margin-right: 6px; border-radius: 50%; background: var(--c); }
.q0 { --c: var(--q0); --t: var(--qdark); }
.q1 { --c: var(--q1); --t: var(--qdark); }
.q2 { --c: var(--q2); --t: var(--qdark); }
.q3 { --c: var(--q3); --t: var(--qdark); }
.q4 { --c: var(--q4); --t: var(--qlight); }
.q5 { --c: var(--q5); --t: var(--qlight); }
.q6 { --c: var(--q6); --t: var(--qlight); }
.chart rect { fill: var(--c); }
.chart [class^=q] text { fill: var(--t); pointer-events: none; }
.top rect { stroke: var(--i1); stroke-width: 3; }
.ramp { display: flex; flex-wrap: wrap; align-items: center; gap: 2px; margin: 6px 0 0; color: var(--soft); font-size: 13px; }
.ramp i { width: 22px; height: 12px; background: var(--c); }
.ramp span { margin: 0 6px; color: var(--ink); }
.edge { fill: none; stroke: var(--line); stroke-width: 1.5; }
.edge.line { stroke: var(--ink); stroke-width: 2; }
.edge.skip { stroke-dasharray: 4 3; }
.node { cursor: pointer; outline: none; }
.disc { fill: var(--c); stroke: var(--card); stroke-width: 1; }
.cut .disc { fill: var(--card); stroke: var(--c); stroke-width: 1.5; }
.hit { fill: transparent; }
.ring { fill: none; stroke: var(--ink); stroke-width: 2; }
.node.on .hit, .node:focus-visible .hit { stroke: var(--c); stroke-width: 2; }
.node text.fold { font-size: 9.5px; }
@media (max-width: 560px) { .chart text { font-size: 17px; } .chart [class^=q] text { font-size: 13px; } }
`;

const parts: Html = markup`
#panel { margin-top: 10px; padding: 10px 14px; min-height: 190px; border: 1px solid var(--line); border-radius: 8px; }
.head { display: flex; align-items: center; margin: 0 0 6px; gap: 2px 8px; }
.score { font-size: 17px; font-weight: 650; }
.head i { margin: 0; }
.gain { color: var(--soft); }
.gain.up { color: var(--good); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 6px 0; font-size: 13.5px; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.wide { grid-template-columns: minmax(90px, max-content) 1fr; }
pre { margin: 8px 0; padding: 10px 12px; max-height: 460px; overflow: auto; background: var(--page); border-radius: 8px; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; tab-size: 2; }
.add, .del, .at { display: inline-block; min-width: 100%; }
.add { color: var(--good); background: var(--goodbg); }
.del { color: var(--bad); background: var(--badbg); }
.at { color: var(--soft); }
summary { cursor: pointer; padding: 5px 0; overflow-wrap: anywhere; }
.steps { margin: 0; padding: 0; list-style: none; max-height: 560px; overflow: auto; }
.steps li { border-top: 1px solid var(--line); }
.steps li:first-child { border-top: 0; }
.steps .score { display: inline-block; min-width: 62px; font-size: 15px; }
.steps .gain { display: inline-block; min-width: 84px; font-size: 13.5px; }
.by { font-size: 13.5px; }
table { width: 100%; border-collapse: collapse; font-size: 13.5px; }
th, td { padding: 5px 10px 5px 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { font-weight: 500; }
tbody th { min-width: 130px; white-space: normal; overflow-wrap: anywhere; }
thead th { color: var(--soft); }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; height: 10px; border-radius: 3px; background: var(--page); overflow: hidden; }
.bar i { display: block; height: 100%; min-width: 1px; background: var(--bar); }
.share .bar { width: 110px; margin: 0 8px 0 10px; }
.funnel { margin: 0; padding: 0; list-style: none; font-size: 13.5px; }
.funnel li { display: grid; grid-template-columns: 190px 1fr 84px 60px; gap: 12px; align-items: center; padding: 3px 0; }
.funnel b, .funnel small { text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
.funnel small { color: var(--soft); font-size: 13px; font-weight: 400; }
.funnel .bar { height: 14px; }
@media (max-width: 560px) { .funnel li { grid-template-columns: 1fr 66px 52px; gap: 2px 8px; padding: 5px 0; } .funnel .bar { grid-row: 2; grid-column: 1 / -1; height: 8px; } }
@media print { .scroll, pre, .steps { max-height: none; overflow: visible; } }
`;

/** The style sheet. */
export const style: Html = markup`
:root { color-scheme: light dark; ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
${page}
${drawings}
${parts}
`;
