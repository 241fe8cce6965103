/**
 * Bounds the number of values of a label: each of them is a series of its own in every metric that has the label. The first
 * names are kept, and all others share one value.
 */
export class BoundedNames {
  private readonly known = new Set<string>();

  /**
   * @param max - maximum number of names
   * @param other - the value of all others
   */
  constructor(
    private readonly max: number,
    private readonly other: string,
  ) {}

  of(name: string): string {
    if (this.known.has(name)) return name;
    if (this.known.size >= this.max) return this.other;
    this.known.add(name);
    return name;
  }
}
