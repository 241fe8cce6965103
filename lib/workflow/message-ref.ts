/** A signal or an event, as far as the engine knows one. */
export interface MessageRef {
  readonly kind: 'signal' | 'event';
  readonly name: string;
}

/** Recognized by its shape, because another copy of the package may have defined it. */
export function isMessageRef(value: unknown, kind: MessageRef['kind']): value is MessageRef {
  if (typeof value !== 'object' || value === null) return false;
  return Reflect.get(value, 'kind') === kind && typeof Reflect.get(value, 'name') === 'string';
}
