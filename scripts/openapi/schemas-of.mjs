/**
 * JSON Schemas of the exported types of a file, by name. Types of other files become schemas too if they have a name; what has
 * none is written out where it is used. Generic types are left out: their uses have names.
 */
export async function schemasOf(file, project) {
  // Only now is it installed: scripts are loaded in a fresh clone too.
  const { default: ts } = await import('typescript');
  const { config } = ts.readConfigFile(project, ts.sys.readFile);
  const { compilerOptions } = config;
  const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, '.');
  const program = ts.createProgram([file], options);
  const converter = new Converter(ts, program.getTypeChecker());
  return converter.convertFile(program.getSourceFile(file));
}

class Converter {
  schemas = new Map();
  /** Types that have a name, and the types of the names. */
  names = new Map();
  types = new Map();

  constructor(ts, checker) {
    this.ts = ts;
    this.checker = checker;
  }

  convertFile(source) {
    const declarations = source.statements.filter(
      (one) =>
        (this.ts.isInterfaceDeclaration(one) || this.ts.isTypeAliasDeclaration(one)) &&
        one.typeParameters === undefined,
    );
    const all = declarations.map((one) => [
      one.name.text,
      this.checker.getDeclaredTypeOfSymbol(this.checker.getSymbolAtLocation(one.name)),
      this.checker.getSymbolAtLocation(one.name),
    ]);
    // An alias of a type with a name is a reference to it.
    for (const [name, type] of all) if (this.ownName(type) === name) this.claim(name, type);
    for (const [name, type, symbol] of all) {
      const schema = this.names.get(type) === name ? this.body(type) : this.schema(type);
      this.schemas.set(name, described(schema, this.textOf(symbol)));
    }
    const sorted = [...this.schemas].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted);
  }

  /** A schema where the type is used: a reference if it has a name. */
  schema(type) {
    const name = this.nameOf(type);
    if (name === undefined) return this.body(type);
    if (!this.schemas.has(name)) {
      // First the name, for a type that contains itself.
      this.schemas.set(name, {});
      const symbol = type.aliasSymbol?.name === name ? type.aliasSymbol : this.symbolOf(type);
      this.schemas.set(name, described(this.body(type), this.textOf(symbol)));
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  nameOf(type) {
    const known = this.names.get(type);
    if (known !== undefined) return known;
    const name = this.ownName(type);
    return name !== undefined && this.claim(name, type) ? name : undefined;
  }

  claim(name, type) {
    if (this.types.has(name)) return this.types.get(name) === type;
    this.types.set(name, type);
    this.names.set(type, name);
    return true;
  }

  /** The name of an interface or alias, also behind `Serialized<…>`. */
  ownName(type) {
    const { ts } = this;
    if ((type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Union)) === 0) return undefined;
    if (type.flags & ts.TypeFlags.Union && type.types.every((one) => this.isPlain(one)))
      return undefined;
    return this.symbolOf(type)?.name;
  }

  symbolOf(type) {
    const { ts, checker } = this;
    const { aliasSymbol: alias, aliasTypeArguments: of, objectFlags = 0 } = type;
    if (alias !== undefined && of === undefined) return alias;
    if (objectFlags & ts.ObjectFlags.Mapped) {
      if (type.declaration.questionToken !== undefined) return undefined;
      // Of `{ [K in keyof T]: … }`, which Serialized is: the name of T. The compiler finds it with the properties.
      checker.getPropertiesOfType(type);
      const mapped = type.constraintType?.type;
      return mapped === undefined ? undefined : this.symbolOf(mapped);
    }
    const isInterface = objectFlags & (ts.ObjectFlags.Interface | ts.ObjectFlags.Class);
    return isInterface && (type.typeArguments ?? []).length === 0 ? type.symbol : undefined;
  }

  isPlain({ flags }) {
    const { TypeFlags: of } = this.ts;
    const plain = of.Literal | of.Null | of.Undefined | of.StringLike | of.NumberLike;
    return (flags & (plain | of.BooleanLike)) !== 0;
  }

  body(type) {
    const { ts, checker } = this;
    const { TypeFlags: of } = ts;
    if (type.flags & (of.Unknown | of.Any)) return {};
    if (type.flags & of.Null) return { type: 'null' };
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (type.flags & of.BooleanLiteral) return { const: checker.typeToString(type) === 'true' };
    if (type.flags & of.StringLike) return { type: 'string' };
    if (type.flags & of.NumberLike) return { type: 'number' };
    if (type.flags & of.BooleanLike) return { type: 'boolean' };
    if (type.isUnion()) return this.union(type);
    if (checker.isArrayType(type) || checker.isTupleType(type)) {
      const [item] = checker.getTypeArguments(type);
      return { type: 'array', items: item === undefined ? {} : this.schema(item) };
    }
    return this.object(type);
  }

  union({ types }) {
    const { TypeFlags: of } = this.ts;
    const present = types.filter(({ flags }) => (flags & of.Undefined) === 0);
    const booleans = present.filter(({ flags }) => (flags & of.BooleanLiteral) !== 0);
    const texts = present.filter((one) => one.isStringLiteral());
    const rest = present.filter(
      (one) => !texts.includes(one) && !(booleans.length === 2 && booleans.includes(one)),
    );
    const schemas = [
      ...(booleans.length === 2 ? [{ type: 'boolean' }] : []),
      ...(texts.length === 0
        ? []
        : texts.length === 1
          ? [{ const: texts[0].value }]
          : [{ type: 'string', enum: texts.map(({ value }) => value) }]),
      ...rest.map((one) => this.schema(one)),
    ];
    return schemas.length === 1 ? schemas[0] : { anyOf: schemas };
  }

  object(type) {
    const { ts, checker } = this;
    const properties = {};
    const required = [];
    for (const property of checker.getPropertiesOfType(type)) {
      const schema = this.schema(checker.getNonOptionalType(checker.getTypeOfSymbol(property)));
      properties[property.name] = described(schema, this.textOf(property));
      if ((property.flags & ts.SymbolFlags.Optional) === 0) required.push(property.name);
    }
    const index = checker.getIndexInfoOfType(type, ts.IndexKind.String);
    return {
      type: 'object',
      ...(Object.keys(properties).length === 0 ? {} : { properties }),
      ...(required.length === 0 ? {} : { required }),
      ...(index === undefined ? {} : { additionalProperties: this.schema(index.type) }),
    };
  }

  textOf(symbol) {
    const parts = symbol?.getDocumentationComment(this.checker) ?? [];
    return this.ts
      .displayPartsToString(parts)
      .replaceAll(/\{@link ([^}]+)\}/g, '$1')
      .trim();
  }
}

/** A reference may have a description beside it since OpenAPI 3.1. */
function described(schema, description) {
  return description === '' ? schema : { description, ...schema };
}
