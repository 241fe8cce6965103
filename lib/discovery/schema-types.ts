import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { JsonObject, Stored } from './context-types.js';

/**
 * The context that tasks see in a workflow with an `input` schema: the schema's output, as JSON stores it. For example,
 * a Date becomes its ISO string.
 *
 * @example
 * ```ts
 * type Order = ContextOfSchema<typeof OrderFulfilment.input> & { paymentId?: string };
 * ```
 */
export type ContextOfSchema<S extends StandardSchemaV1> = ObjectOf<
  Stored<StandardSchemaV1.InferOutput<S>>
>;

/** The input that `start` takes for a workflow with an `input` schema: the input of the schema. */
export type InputOfSchema<S extends StandardSchemaV1> = ObjectOf<StandardSchemaV1.InferInput<S>>;

type ObjectOf<T> = T extends object ? T : JsonObject;
