import { Injectable } from '@nestjs/common';

/** ISO 3166-1 codes by the English names that Node.js knows, for all usual spellings. */
@Injectable()
export class CountryCodes {
  private readonly codes = new Map<string, string>();

  constructor() {
    const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });
    const letters = Array.from({ length: 26 }, (_, i) => String.fromCharCode(65 + i));
    for (const code of letters.flatMap((first) => letters.map((second) => first + second))) {
      const name = names.of(code);
      if (name !== undefined) this.codes.set(folded(name), code);
    }
  }

  /** Null for a name that is not in ISO 3166-1, such as that of a former country. */
  codeOf(country: string): string | null {
    return this.codes.get(folded(country)) ?? null;
  }
}

/** Makes spellings equal: `Côte d’Ivoire` and `Cote d'Ivoire`, `St. Lucia` and `Saint Lucia`. */
function folded(name: string): string {
  return name
    .normalize('NFD')
    .replaceAll(/[\u0300-\u036f]/g, '')
    .replaceAll('’', "'")
    .replaceAll('&', 'and')
    .replace(/^St\. /, 'Saint ')
    .toLowerCase();
}
