import type { JsonObject } from '../../../lib/discovery/context-types.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';

/** As much of a context as the handlers in these tests use. */
export function contextOf(data: JsonObject): TaskContext {
  const context: Pick<TaskContext, 'get' | 'require' | 'data'> = {
    data,
    get: (key) => data[key],
    require: (key) => data[key] ?? {},
  };
  return context as TaskContext;
}
