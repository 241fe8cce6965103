export type { ContextEntry } from './context-index.js';
export { ContextView, INPUT_WRITER } from './context-view.js';
export {
  finalContext,
  joinContexts,
  type ContextConflict,
  type JoinedContext,
  type JoinedDependency,
} from './context-join.js';
