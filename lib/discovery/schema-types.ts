import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Stored } from './context-types.js';
import type { JsonObject } from './task-context.js';

/**
 * The context that tasks see of a workflow with an `input` schema: what the schema gives, as it is read back. A Date, for
 * one, is stored as its ISO string.
 *
 * @example
 * ```ts
 * type Order = ContextOfSchema<typeof OrderFulfilment.input> & { paymentId?: string };
 * ```
 */
export type ContextOfSchema<S extends StandardSchemaV1> = ObjectOf<
  Stored<StandardSchemaV1.InferOutput<S>>
>;

/** What `start` takes for a workflow with an `input` schema: what the schema takes. */
export type InputOfSchema<S extends StandardSchemaV1> = ObjectOf<StandardSchemaV1.InferInput<S>>;

type ObjectOf<T> = T extends object ? T : JsonObject;
