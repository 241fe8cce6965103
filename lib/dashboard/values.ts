import type { ValueView } from './http-types.js';

/** Values of more bytes are cut in views of executions, and so are all once their sum is larger than the second. */
const MAX_BYTES = 16_384;
const MAX_TOTAL = 262_144;
const PREVIEW = 2_000;
const SHORT_PREVIEW = 200;

const MASK = '[redacted]';
/** Names of secrets, as {@link plain} spells them. */
const SECRET =
  /(?:password|passwd|passphrase|pwd|secret|authorization|cookie|(?:api|access|account|auth|encryption|private|session|shared|signing)key|token)$/;

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

/** Shows what handlers wrote: without secrets, and without values that are too large for a page. */
export class Values {
  private readonly hidden: ReadonlySet<string>;

  constructor(redact: readonly string[]) {
    this.hidden = new Set(redact.map(plain));
  }

  isHidden(name: string): boolean {
    return this.hidden.has(plain(name)) || SECRET.test(plain(name));
  }

  /** The whole value, without secrets. */
  whole(value: unknown): unknown {
    return JSON.parse(this.json(value));
  }

  /** One value. */
  view(value: unknown, max = MAX_BYTES, preview = PREVIEW): ValueView {
    const json = this.json(value);
    const bytes = Buffer.byteLength(json);
    if (bytes > max) return { bytes, kind: 'cut', preview: json.slice(0, preview) };
    return { bytes, kind: 'json', value: JSON.parse(json) };
  }

  /** The values of a context, by key. Their sum is limited too. */
  viewAll(context: object): Record<string, ValueView> {
    let total = 0;
    const views = Object.entries(context).map(([name, value]): [string, ValueView] => {
      if (this.isHidden(name)) return [name, { kind: 'redacted' }];
      const isFull = total > MAX_TOTAL;
      const view = this.view(
        value,
        isFull ? SHORT_PREVIEW : MAX_BYTES,
        isFull ? SHORT_PREVIEW : PREVIEW,
      );
      if (view.kind === 'json') total += view.bytes;
      if (view.kind === 'cut') total += view.preview.length;
      return [name, view];
    });
    // A key such as __proto__ is a property like others.
    return Object.fromEntries(views);
  }

  private json(value: unknown): string {
    const hide = (name: string, inner: unknown): unknown =>
      name !== '' && this.isHidden(name) ? MASK : inner;
    return JSON.stringify(value === undefined ? null : value, hide);
  }
}
