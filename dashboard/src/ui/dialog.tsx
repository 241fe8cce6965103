import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** The open dialog. The browser keeps the focus within it, and closes it on Escape. */
const open = signal<{ title: string; content: ComponentChildren } | undefined>(undefined);

export function showDialog(title: string, content: ComponentChildren): void {
  open.value = { title, content };
}

/** By its own method, so that the browser gives the focus back to where it was. */
export function closeDialog(): void {
  document.querySelector<HTMLDialogElement>('dialog[open]')?.close();
}

export function isDialogOpen(): boolean {
  return document.querySelector('dialog[open]') !== null;
}

export function DialogHost() {
  const ref = useRef<HTMLDialogElement>(null);
  const latest = useRef<typeof open.value>(undefined);
  const shown = open.value;
  useEffect(() => {
    const dialog = ref.current;
    latest.current = shown;
    if (shown === undefined || dialog === null || dialog.open) return;
    dialog.showModal();
    // The browser takes the first control, which is the one that closes.
    if (dialog.querySelector('[autofocus]') === null)
      dialog.querySelector<HTMLElement>('input, select, textarea')?.focus();
  }, [shown]);
  // The browser sends the event some time after it has closed the dialog, when the next one may be open.
  const closed = (): void => {
    if (ref.current?.open !== true && open.value === latest.current) open.value = undefined;
  };
  if (shown === undefined) return null;
  return (
    <dialog ref={ref} onClose={closed} aria-labelledby="dialog-title">
      <header>
        <h2 id="dialog-title">{shown.title}</h2>
        <button type="button" class="icon" aria-label="Close" onClick={closeDialog}>
          ✕
        </button>
      </header>
      {shown.content}
    </dialog>
  );
}

const toasts = signal<readonly { id: number; text: string; isError: boolean }[]>([]);
let last = 0;

/** Says in a corner what an action did. */
export function toast(text: string, isError = false): void {
  const id = (last += 1);
  toasts.value = [...toasts.value, { id, text, isError }];
  setTimeout(() => (toasts.value = toasts.value.filter((one) => one.id !== id)), 6_000);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, isError }) => (
        <p key={id} class={isError ? 'toast bad' : 'toast'}>
          {text}
        </p>
      ))}
    </div>
  );
}
