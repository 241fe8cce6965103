import 'reflect-metadata';
import type { PollerMethod, PollerOptions } from './poller-types.js';
import type { WorkflowRef } from './workflow-ref.js';

// A registered symbol, so that one copy of the package recognizes a class that another copy decorated.
const POLLERS = Symbol.for('nestjs-cloacina:pollers');

/** A method with {@link Poller} and its options, unchecked: checks run at boot. */
export interface PollerMetadata {
  readonly method: string;
  readonly options: PollerOptions;
  /** Whether it is static. That is a mistake, because pollers are called on the instance that Nest made. */
  readonly isStatic: boolean;
}

/**
 * Calls a method of any provider regularly, in each tenant, to look for something outside of the database: files, messages,
 * rows of another system. It returns the executions to start and a cursor for the next call. These, its writes and the
 * outcome of the poll are one commit, so nothing is lost or started twice, whichever process dies when.
 *
 * One process polls a tenant at a time; if it dies, another one continues from the last cursor. A poll is an execution of the
 * workflow `cloacina.poller.` and its name, on a schedule of that name: `runner.schedules` pauses, resumes and runs it, and
 * `runner.pollers` shows and sets the cursor.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class Inbox {
 *   @Poller({ name: 'inbox', every: '30s', workflow: ImportFile })
 *   async look({ cursor, tenant, signal }: PollerContext<string>) {
 *     const files = await this.bucket.list(tenant, { after: cursor, signal });
 *     return { starts: files.map((file) => ({ key: file.name, input: { file: file.name } })), cursor: files.at(-1)?.name };
 *   }
 * }
 * ```
 */
export function Poller<R extends WorkflowRef>(
  options: PollerOptions<R>,
): <M extends PollerMethod<R>>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => {
    const isStatic = typeof target === 'function';
    const owner = isStatic ? target : target.constructor;
    // A method that overrides one with a decorator of its own is that poller.
    const others = getPollers(owner).filter(({ method }) => method !== key);
    const poller: PollerMetadata = { method: key, options: { ...options }, isStatic };
    Reflect.defineMetadata(POLLERS, [...others, poller], owner);
  };
}

/** The methods of a class that have {@link Poller}, those of its ancestors first. */
export function getPollers(type: Function): readonly PollerMetadata[] {
  const pollers: readonly PollerMetadata[] | undefined = Reflect.getMetadata(POLLERS, type);
  return pollers ?? [];
}
