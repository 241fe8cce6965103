/** What the schemas of this project are made of. Another keyword fails, so that none is passed over. */
interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string;
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
}

const KEYWORDS: ReadonlySet<string> = new Set<keyof Schema>([
  '$ref',
  'description',
  'type',
  'format',
  'const',
  'enum',
  'anyOf',
  'items',
  'properties',
  'required',
  'additionalProperties',
]);

/** The schemas of an OpenAPI document. */
export type Schemas = Readonly<Record<string, object>>;

/**
 * What is wrong with a value by a schema; empty if it matches. Stricter than JSON Schema: a property that the schema does not
 * name is wrong, so that nothing is answered that is not described.
 */
export function problemsOf(value: unknown, schema: object, schemas: Schemas, at = '$'): string[] {
  const of = schema as Schema;
  const unknown = Object.keys(of).filter((name) => !KEYWORDS.has(name));
  if (unknown.length > 0) return [`${at}: the schema has the unknown keyword ${unknown[0]}`];
  if (of.$ref !== undefined) {
    const target = schemas[of.$ref.replace('#/components/schemas/', '')];
    return target === undefined
      ? [`${at}: there is no ${of.$ref}`]
      : problemsOf(value, target, schemas, at);
  }
  if (of.anyOf !== undefined) {
    const all = of.anyOf.map((one) => problemsOf(value, one, schemas, at));
    const [nearest = []] = all.toSorted((a, b) => a.length - b.length);
    return nearest;
  }
  if ('const' in of && value !== of.const) return [`${at} is not ${JSON.stringify(of.const)}`];
  if (of.enum !== undefined && !of.enum.includes(value)) {
    return [`${at} is ${JSON.stringify(value)}, not one of ${JSON.stringify(of.enum)}`];
  }
  if (of.type === undefined) return [];
  if (typeOf(value) !== of.type) return [`${at} is ${typeOf(value)}, not ${of.type}`];
  if (Array.isArray(value)) {
    return value.flatMap((one, i) => problemsOf(one, of.items ?? {}, schemas, `${at}[${i}]`));
  }
  return of.type === 'object' ? problemsOfObject(value as object, of, schemas, at) : [];
}

function problemsOfObject(value: object, of: Schema, schemas: Schemas, at: string): string[] {
  const isOpen = of.properties === undefined && of.additionalProperties === undefined;
  return [
    ...(of.required ?? []).flatMap((name) =>
      Object.hasOwn(value, name) ? [] : [`${at}.${name} is missing`],
    ),
    ...Object.entries(value).flatMap(([name, inner]) => {
      const schema = of.properties?.[name] ?? of.additionalProperties;
      if (schema !== undefined) return problemsOf(inner, schema, schemas, `${at}.${name}`);
      return isOpen ? [] : [`${at}.${name} is not described`];
    }),
  ];
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
