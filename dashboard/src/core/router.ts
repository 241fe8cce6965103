import { signal } from '@preact/signals';

/** Where the page is, below its base. */
export interface Place {
  /** The decoded segments of the path, without the base. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

/** The path of the page, with a slash at the end. It is read once: it must not follow the address. */
export const base = new URL('.', document.baseURI);

export const place = signal<Place>(readPlace());

function readPlace(): Place {
  const path = globalThis.location.pathname.slice(base.pathname.length);
  const segments = path.split('/').filter((segment) => segment !== '');
  return {
    segments: segments.map(decoded),
    query: new URLSearchParams(globalThis.location.search),
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** A URL below the base; empty values of the query are left out. */
export function linkTo(
  segments: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const search = new URLSearchParams(given).toString();
  return base.pathname + segments.map(encodeURIComponent).join('/') + (search && `?${search}`);
}

/** The state of entries that this page added to the history: before them, there is one of this page too. */
const FOLLOWED = { isFollowed: true };

/** Goes back where the page was before, unless it began here. Returns whether it did. */
export function goBack(): boolean {
  const isFollowed = (history.state as Partial<typeof FOLLOWED> | null)?.isFollowed === true;
  if (isFollowed) history.back();
  return isFollowed;
}

export function navigate(url: string, { replace = false } = {}): void {
  if (replace) history.replaceState(history.state, '', url);
  else history.pushState(FOLLOWED, '', url);
  const before = place.value.segments.join('/');
  place.value = readPlace();
  if (before === place.value.segments.join('/')) return;
  scrollTo(0, 0);
  document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true });
}

/** Changes names of the query, and returns to the first page. */
export function setQuery(
  changes: Readonly<Record<string, string | readonly string[] | undefined>>,
): void {
  const query = new URLSearchParams(place.value.query);
  query.delete('cursor');
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const one of typeof value === 'string' ? [value] : (value ?? []))
      if (one !== '') query.append(name, one);
  }
  const search = query.toString();
  navigate(globalThis.location.pathname + (search && `?${search}`));
}

/** Follows links of the page without loading it again. */
export function followLinks(): void {
  addEventListener('popstate', () => (place.value = readPlace()));
  document.addEventListener('click', (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download')) return;
    const url = new URL(link.href);
    if (url.origin !== base.origin || !url.pathname.startsWith(base.pathname)) return;
    event.preventDefault();
    navigate(url.pathname + url.search);
  });
}
