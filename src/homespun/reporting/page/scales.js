// Scales, ticks and the writing of numbers; src/homespun/reporting/axes.py does the same for the page without scripts.

const SUFFIXES = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
const NARROW_SPACE = "\u202f";

function significant(value, digits) {
  // 0.30000000000000004 and 3e-7 are both written for people.
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e15) return value.toExponential(Math.max(0, digits - 2)).replace(/\.?0+e/, "e").replace("e+", "e");
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return trim(value.toFixed(Math.min(decimals, 12)));
}

function trim(text) { return text.includes(".") ? text.replace(/\.?0+$/, "") : text; }

function grouped(value) { return Math.round(value).toLocaleString("en-US"); }

function compact(value, digits = 3) {
  for (const [size, suffix] of SUFFIXES) {
    if (Math.abs(value) >= size) return significant(value / size, digits) + NARROW_SPACE + suffix;
  }
  return significant(value, digits);
}

/** A number of FLOPs, for which everybody writes G rather than B. */
function flops(value, digits = 3) { return compact(value, digits).replace("B", "G"); }

function duration(seconds, digits = 3) {
  if (seconds === 0) return "0";
  if (seconds < 120) return significant(seconds, digits) + NARROW_SPACE + "s";
  if (seconds < 7200) return significant(seconds / 60, digits) + NARROW_SPACE + "min";
  return significant(seconds / 3600, digits) + NARROW_SPACE + "h";
}

const X_AXES = {
  tokens: { label: "tokens trained on", write: compact },
  steps: { label: "optimizer steps", write: (value) => (value < 1e5 ? grouped(value) : compact(value)) },
  time: { label: "training time", write: duration },
  flops: { label: "FLOPs", write: flops },
};

function linearTicks(low, high, count, base60) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  let step;
  if (base60 && rough > 1 && rough < 7200) {
    // Minutes and hours: 0.28 h helps nobody.
    step = [2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200].find((size) => size >= rough);
  } else {
    const power = 10 ** Math.floor(Math.log10(rough));
    step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  }
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high * (1 + 1e-12) + step * 1e-9; index++) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}

function logTicks(low, high, count) {
  const decades = Math.log10(high / low);
  const factors = decades > count ? [1] : decades > 1.3 ? [1, 2, 5] : null;
  if (factors === null) return linearTicks(low, high, count).filter((tick) => tick > 0);
  const ticks = [];
  const stride = Math.max(1, Math.round(decades / Math.max(1, count)));
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (factors.length === 1 && power % stride) continue;
    for (const factor of factors) {
      const tick = factor * 10 ** power;
      if (tick >= low * 0.9999 && tick <= high * 1.0001) ticks.push(tick);
    }
  }
  return ticks;
}

class Scale {
  constructor(low, high, from, to, log) {
    Object.assign(this, { low, high, from, to, log });
    this.a = log ? Math.log(low) : low;
    this.b = log ? Math.log(high) : high;
  }
  at(value) {
    const inner = this.log ? Math.log(value) : value;
    return this.from + ((inner - this.a) / (this.b - this.a || 1)) * (this.to - this.from);
  }
  invert(pixel) {
    const inner = this.a + ((pixel - this.from) / (this.to - this.from || 1)) * (this.b - this.a);
    return this.log ? Math.exp(inner) : inner;
  }
  ticks(count, base60) {
    return this.log ? logTicks(this.low, this.high, count) : linearTicks(this.low, this.high, count, base60);
  }
}

function nearest(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle; else high = middle;
  }
  return Math.abs(sorted[low] - value) <= Math.abs(sorted[high] - value) ? low : high;
}
