/** Numbers as people read them. Pure. */

/** A whole number, thousands apart. */
export function countText(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** A number of unknown size, short: 1,234 or 2.5M. */
export function shortCount(value: number): string {
  if (value < 10_000) return countText(value);
  if (value < 1e6) return `${trimmed((value / 1e3).toFixed(value < 1e5 ? 1 : 0))}k`;
  return value < 1e9 ? `${trimmed((value / 1e6).toFixed(1))}M` : `${trimmed((value / 1e9).toFixed(1))}G`;
}

/** A score from 0 to 1, four digits at most; what is nearly 1 is not called 1. */
export function scoreText(value: number): string {
  const text = trimmed(value.toFixed(4));
  if (text === "1" && value < 1) return `1 − ${(1 - value).toExponential(0)}`;
  return text === "0" && value > 0 ? value.toExponential(0) : text;
}

/** A change of a score, with its sign. */
export function gainText(value: number): string {
  if (value === 0) return "±0";
  const size = scoreText(Math.abs(value));
  return value > 0 ? `+${size}` : `−${size}`;
}

/** A share as per cent; `none` where there is nothing to take a share of. */
export function shareText(part: number, whole: number): string {
  if (whole === 0) return "–";
  const percent = (100 * part) / whole;
  return `${trimmed(percent.toFixed(percent >= 10 || percent === 0 ? 0 : percent >= 1 ? 1 : 2))} %`;
}

/** Money. */
export function usdText(value: number): string {
  return value === 0 ? "0 USD" : `${value < 0.01 ? value.toPrecision(2) : value.toFixed(2)} USD`;
}

/** A duration. */
export function durationText(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${(seconds / 3_600).toFixed(1)} h`;
}

/** Round values from `from` to `to`, some `wanted` of them, for the axis of a chart. At least one. */
export function ticksOf(from: number, to: number, wanted: number): readonly number[] {
  const span = to - from;
  if (!(span > 0)) return [from];
  const rough = span / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(1, count) }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}
