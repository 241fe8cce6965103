import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, get } from './api.js';
import { versions } from './live.js';

export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: Error | undefined;
  /** Whether what is shown is that of an earlier query. */
  readonly isStale: boolean;
  readonly reload: () => void;
}

interface State<T> {
  readonly path: string | undefined;
  readonly data?: T;
  readonly error?: Error;
}

/** When a call without an answer is sent again, in milliseconds. */
const AGAIN_MS = 5_000;

/**
 * Reads a path, and reads it again when executions of the tenant change. While another query of the same path is read,
 * the data before it stay.
 *
 * @param topics - names of tenants; `*` for the numbers of all tenants
 */
export function useResource<T>(
  path: string | undefined,
  ...topics: readonly string[]
): Resource<T> {
  const [state, setState] = useState<State<T>>({ path: undefined });
  const [turn, setTurn] = useState(0);
  const version = [...topics.map((topic) => (topic === '*' ? 'all' : topic)), '*'].reduce(
    (sum, topic) => sum + (versions.value[topic] ?? 0),
    0,
  );
  const shown = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (path === undefined) return;
    const reading = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    get<T>(path, reading.signal).then(
      (data) => {
        shown.current = path;
        setState({ path, data });
      },
      (error: Error) => {
        if (reading.signal.aborted) return;
        // What the server refused, it will refuse again.
        if (!(error instanceof ApiError && error.status >= 400 && error.status < 500)) {
          again = setTimeout(() => setTurn((before) => before + 1), AGAIN_MS);
        }
        // A failed refresh keeps what is known.
        setState((before) =>
          sameList(before.path, path) ? { ...before, error } : { path, error },
        );
      },
    );
    return () => {
      clearTimeout(again);
      reading.abort();
    };
  }, [path, turn, version]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const isSame = sameList(state.path, path);
  return {
    data: isSame ? state.data : undefined,
    error: isSame ? state.error : undefined,
    isStale: isSame && state.path !== path,
    reload,
  };
}

function sameList(one: string | undefined, other: string | undefined): boolean {
  return one?.split('?')[0] === other?.split('?')[0];
}
