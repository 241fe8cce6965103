/** Between the two middle values where their number is even. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

/**
 * The interval that contains the true median with 95 % confidence, whatever the distribution: each value lies below the
 * median with probability one half, so the ranks of the bounds follow from the binomial distribution. With five values or
 * fewer there is no such interval, and it is that of all values.
 */
export function medianInterval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const { length } = sorted;
  let probability = 0.5 ** length;
  let below = 0;
  let rank = 0;
  for (let k = 0; k < length / 2; k++) {
    below += probability;
    if (below * 2 > 0.05) break;
    rank = k;
    probability *= (length - k) / (k + 1);
  }
  return [sorted[rank], sorted[length - 1 - rank]];
}
