import { Get, HttpStatus, Inject, Param, Req, Res, StreamableFile } from '@nestjs/common';
import { basePathOf, type PathRequest } from '../base-path.js';
import { PageFiles } from '../page-files.js';
import { DashboardProblem } from '../problem.js';

/** Nothing of another origin, no inline script or style, no frame around the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The method that responses of Express and Fastify share. */
interface Response {
  header(name: string, value: string): unknown;
}

/** The routes of the page itself have up to this number of segments. */
const ROUTES = [
  '',
  ':a',
  ':a/:b',
  ':a/:b/:c',
  ':a/:b/:c/:d',
  ':a/:b/:c/:d/:e',
  ':a/:b/:c/:d/:e/:f',
];

/** Serves the page: its files, and itself for every path that is its own. */
export class PageController {
  constructor(@Inject(PageFiles) private readonly files: PageFiles) {}

  @Get('assets/:file')
  async asset(
    @Param('file') file: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    const { type, content } = await this.files.asset(file);
    response.header('cache-control', 'public, max-age=31536000, immutable');
    response.header('x-content-type-options', 'nosniff');
    return new StreamableFile(content, { type, length: content.length });
  }

  @Get(ROUTES)
  async page(
    @Req() request: PathRequest,
    @Param() params: Readonly<Record<string, string | undefined>>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    const segments = Object.values(params).filter((one) => one !== undefined && one !== '');
    if (params['a'] === 'api' || params['a'] === 'assets') {
      throw new DashboardProblem(HttpStatus.NOT_FOUND, 'NOT_FOUND', 'There is no such call.');
    }
    const html = Buffer.from(await this.files.index(basePathOf(request, segments.length)));
    response.header('content-security-policy', POLICY);
    response.header('cache-control', 'no-store');
    response.header('x-content-type-options', 'nosniff');
    response.header('x-frame-options', 'DENY');
    response.header('referrer-policy', 'same-origin');
    return new StreamableFile(html, { type: 'text/html; charset=utf-8', length: html.length });
  }
}
