import { signal } from '@preact/signals';
import type { ChangedEvent, Overview } from '../../../lib/dashboard/http-types.js';
import { get } from './api.js';
import { base } from './router.js';

/** How the page moves: by events of the server, or by reading again. */
export const connection = signal<'connecting' | 'live' | 'polling'>('connecting');
export const overview = signal<Overview | undefined>(undefined);
export const overviewError = signal<Error | undefined>(undefined);
/** Rises when executions of a tenant have changed; `*` when anything may have. */
export const versions = signal<Readonly<Record<string, number>>>({});
/** The time now, once a second while the page is seen. */
export const now = signal(Date.now());

/** How long the stream may be gone before the page polls, in milliseconds. */
const PATIENCE_MS = 5_000;

export function touch(topic: string): void {
  versions.value = { ...versions.value, [topic]: (versions.value[topic] ?? 0) + 1 };
}

export async function readOverview(): Promise<void> {
  try {
    overview.value = await get<Overview>('api/overview');
    overviewError.value = undefined;
  } catch (error) {
    overviewError.value = error as Error;
  }
}

export function goLive(pollMs: number): void {
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1_000);
  void readOverview();
  let isOpen = false;
  let wasOpen = false;
  let lostAt = Date.now();
  const stream = openStream('api/events', {
    onOpen: () => {
      isOpen = true;
      connection.value = 'live';
      // The server ends each stream after some minutes. What has changed since was told to no one.
      if (wasOpen) touch('*');
      wasOpen = true;
    },
    onLost: () => {
      if (isOpen) lostAt = Date.now();
      isOpen = false;
    },
    events: {
      overview: (data) => {
        overview.value = data as Overview;
        // Numbers of some tenant have changed: views of all tenants are read again.
        touch('all');
        overviewError.value = undefined;
      },
      changed: (data) => touch((data as ChangedEvent).tenant),
    },
  });
  setInterval(() => {
    if (isOpen || document.hidden || Date.now() - lostAt < PATIENCE_MS) return;
    connection.value = 'polling';
    void readOverview();
    touch('*');
  }, pollMs);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    lostAt = now.value = Date.now();
    // No stream has reported the changes since the last one ended.
    touch('*');
  });
  addEventListener('pagehide', () => stream());
}

interface StreamOptions {
  readonly events: Readonly<Record<string, (data: unknown) => void>>;
  readonly onOpen?: () => void;
  readonly onLost?: () => void;
}

/**
 * Opens a stream that is opened again whenever it is lost. Returns what closes it. A hidden page has no stream: a browser has few
 * connections to a server, so that some pages in the background would leave none for the one that is seen.
 */
export function openStream(path: string, { events, onOpen, onLost }: StreamOptions): () => void {
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    close();
    source = new EventSource(new URL(path, base));
    source.addEventListener('open', () => onOpen?.());
    source.addEventListener('error', () => {
      onLost?.();
      // A browser gives up after an answer that is not a stream.
      if (source?.readyState === EventSource.CLOSED) again = setTimeout(open, 10_000);
    });
    for (const [type, use] of Object.entries(events))
      source.addEventListener(type, (event) =>
        use(JSON.parse((event as MessageEvent<string>).data)),
      );
  };
  const close = (): void => {
    clearTimeout(again);
    source?.close();
  };
  const follow = (): void => {
    if (!document.hidden) return open();
    close();
    onLost?.();
  };
  if (!document.hidden) open();
  document.addEventListener('visibilitychange', follow);
  return () => {
    document.removeEventListener('visibilitychange', follow);
    close();
  };
}
