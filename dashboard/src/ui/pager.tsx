import { goBack, navigate, place, setQuery } from '../core/router.js';

/** The way to the next page of a list. The browser's way back leads to the one before. A page that was opened by a link has none before: it gets the first. */
export function Pager({ next }: { next: string | null }) {
  const { query } = place.value;
  const isFirst = !query.has('cursor');
  if (next === null && isFirst) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" disabled={isFirst} onClick={() => goBack() || setQuery({})}>
        ← Previous
      </button>
      <button
        type="button"
        disabled={next === null}
        onClick={() => next !== null && navigate(urlWith('cursor', next))}
      >
        Next →
      </button>
    </nav>
  );
}

function urlWith(name: string, value: string): string {
  const query = new URLSearchParams(place.value.query);
  query.set(name, value);
  return `${globalThis.location.pathname}?${query}`;
}

export function SearchField({
  label,
  value,
  onSearch,
}: {
  label: string;
  value: string;
  onSearch: (text: string) => void;
}) {
  return (
    <form
      role="search"
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        const text = new FormData(event.currentTarget).get('search');
        onSearch(typeof text === 'string' ? text.trim() : '');
      }}
    >
      <input
        key={value}
        type="search"
        name="search"
        aria-label={label}
        placeholder={label}
        defaultValue={value}
      />
    </form>
  );
}
