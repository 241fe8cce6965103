/**
 * JSON Schemas of the types that a file exports, by name. Types of other files become schemas too if they have a name; what has
 * none is written out where it is used. Generic types are left out: their uses have names.
 */
export async function schemasOf(file, project) {
  // Only now is it installed: scripts are loaded in a fresh clone too.
  const { default: ts } = await import('typescript');
  const { config } = ts.readConfigFile(project, (name) => ts.sys.readFile(name));
  const { compilerOptions } = config;
  const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, '.');
  const program = ts.createProgram([file], options);
  const converter = new Converter(ts, program.getTypeChecker());
  return converter.convertFile(program.getSourceFile(file));
}

class Converter {
  schemas = new Map();
  /** The symbols of the names. A type and what it is behind `Serialized<…>` are the same schema: JSON has no dates. */
  symbols = new Map();

  constructor(ts, checker) {
    this.ts = ts;
    this.checker = checker;
  }

  convertFile(source) {
    const exported = this.checker
      .getExportsOfModule(this.checker.getSymbolAtLocation(source))
      .map((one) =>
        one.flags & this.ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(one) : one,
      );
    const all = exported.flatMap((symbol) => {
      const [declaration] = symbol.declarations;
      return declaration.typeParameters === undefined
        ? [[symbol.name, this.checker.getDeclaredTypeOfSymbol(symbol), symbol]]
        : [];
    });
    // An alias of a type with a name is a reference to it.
    for (const [name, type] of all) if (this.ownSymbol(type)?.name === name) this.nameOf(type);
    for (const [name, type, symbol] of all) {
      const schema = this.nameOf(type) === name ? this.body(type) : this.schema(type);
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
      this.schemas.set(name, described(this.body(type), this.textOf(this.ownSymbol(type))));
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  /** The name of the schema of a type. Of two symbols with one name, the first one that is met has it. */
  nameOf(type) {
    const symbol = this.ownSymbol(type);
    if (symbol === undefined) return undefined;
    if (!this.symbols.has(symbol.name)) this.symbols.set(symbol.name, symbol);
    return this.symbols.get(symbol.name) === symbol ? symbol.name : undefined;
  }

  /** The interface or alias of a type, also behind `Serialized<…>`. */
  ownSymbol(type) {
    const { ts } = this;
    if (type.symbol?.name === 'Date') return undefined;
    if ((type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Union)) === 0) return undefined;
    if (type.flags & ts.TypeFlags.Union && type.types.every((one) => this.isPlain(one)))
      return undefined;
    return this.symbolOf(type);
  }

  symbolOf(type) {
    const { ts, checker } = this;
    const { aliasSymbol: alias, aliasTypeArguments: of, objectFlags = 0 } = type;
    // A generic union of texts, such as a rule that contains rules, is one schema.
    const isOfTexts = type.isUnion() && of?.every(({ flags }) => flags & ts.TypeFlags.String);
    if (alias !== undefined && (of === undefined || isOfTexts)) return alias;
    if (objectFlags & ts.ObjectFlags.Mapped) {
      // Of `{ [K in keyof T]: … }`, which Serialized is: the name of T. The compiler finds it with the properties.
      const { questionToken, typeParameter } = type.declaration;
      if (questionToken !== undefined || !ts.isTypeOperatorNode(typeParameter.constraint))
        return undefined;
      checker.getPropertiesOfType(type);
      return type.modifiersType === undefined ? undefined : this.symbolOf(type.modifiersType);
    }
    const isInterface = objectFlags & (ts.ObjectFlags.Interface | ts.ObjectFlags.Class);
    return isInterface && (type.typeArguments ?? []).length === 0 ? type.symbol : undefined;
  }

  isUndefined({ flags }) {
    return (flags & this.ts.TypeFlags.Undefined) !== 0;
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
    if (type.symbol?.name === 'Date') return { type: 'string' };
    return this.object(type);
  }

  union({ types }) {
    const { TypeFlags: of } = this.ts;
    const present = types.filter((one) => !this.isUndefined(one));
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
      const of = checker.getTypeOfSymbol(property);
      const schema = this.schema(checker.getNonOptionalType(of));
      properties[property.name] = described(schema, this.textOf(property));
      // JSON leaves out what is undefined.
      const mayBeUndefined = of.isUnion() && of.types.some((one) => this.isUndefined(one));
      if ((property.flags & ts.SymbolFlags.Optional) === 0 && !mayBeUndefined)
        required.push(property.name);
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
