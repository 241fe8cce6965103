import { Injectable } from '@nestjs/common';

/** The address of this process, which is known when it listens. A task that runs before waits for it. */
@Injectable()
export class PublicUrl {
  /** Resolves `get()`. */
  set!: (url: string) => void;
  private readonly url = new Promise<string>((resolve) => {
    this.set = resolve;
  });

  get(): Promise<string> {
    return this.url;
  }
}
