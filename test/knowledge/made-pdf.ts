// Small PDFs as programs write them, sound and odd, made byte by byte.

import { deflateRawSync, deflateSync, constants } from 'node:zlib';

export interface PageOf {
  /** Lines, each with the height of its letters. */
  readonly lines: readonly (readonly [height: number, text: string])[];
  /** A picture on the page. */
  readonly picture?: boolean;
}

export interface Oddness {
  /** An encryption dictionary that nobody has the key for. */
  readonly encrypted?: boolean;
  /** The page's content inflates to so many MiB of spaces. */
  readonly bombMiB?: number;
  readonly title?: string;
}

export function madePdf(pages: readonly PageOf[], odd: Oddness = {}): Buffer {
  const objects: (string | { dict: string; data: Buffer })[] = ['', ''];
  const add = (object: (typeof objects)[number]): number => objects.push(object);
  const font = add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>');
  const picture = add({
    dict: '/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8',
    data: Buffer.from([0, 255, 255, 0]),
  });
  const kids = pages.map((page) => {
    const content = Buffer.from(contentOf(page));
    const data = odd.bombMiB === undefined ? deflateSync(content) : bomb(content, odd.bombMiB);
    const stream = add({ dict: '/Filter /FlateDecode', data });
    return add(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents ${stream} 0 R /Resources << /Font << /F1 ${font} 0 R >> /XObject << /P1 ${picture} 0 R >> >> >>`,
    );
  });
  objects[0] = '<< /Type /Catalog /Pages 2 0 R >>';
  objects[1] = `<< /Type /Pages /Kids [${kids.map((kid) => `${kid} 0 R`).join(' ')}] /Count ${kids.length} >>`;
  let trailer =
    '/Root 1 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]';
  if (odd.title !== undefined) trailer += ` /Info ${add(`<< /Title (${odd.title}) >>`)} 0 R`;
  if (odd.encrypted === true) {
    const key = 'ab'.repeat(32);
    trailer += ` /Encrypt ${add(`<< /Filter /Standard /V 1 /R 2 /P -4 /O <${key}> /U <${key}> >>`)} 0 R`;
  }
  return written(objects, trailer);
}

function contentOf({ lines, picture }: PageOf): string {
  let y = 800;
  const shown = lines.map(([height, text]) => {
    y -= Math.round(height * 1.3);
    return `BT /F1 ${height} Tf 60 ${y} Td (${text.replace(/[\\()]/g, '\\$&')}) Tj ET`;
  });
  return [...shown, ...(picture === true ? ['q 300 0 0 300 60 60 cm /P1 Do Q'] : [])].join('\n');
}

/** A few MB that inflate to as much as is asked for. */
function bomb(content: Buffer, miB: number): Buffer {
  const flush = { finishFlush: constants.Z_FULL_FLUSH };
  const piece = deflateRawSync(Buffer.alloc(16 * 2 ** 20, 0x20), flush);
  const pieces = Array.from({ length: Math.ceil(miB / 16) }, () => piece);
  const end = Buffer.from([3, 0, 0, 0, 0, 0]);
  return Buffer.concat([Buffer.from([0x78, 0x9c]), deflateRawSync(content, flush), ...pieces, end]);
}

function written(
  objects: readonly (string | { dict: string; data: Buffer })[],
  trailer: string,
): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.4\n%\xe2\xe3\xcf\xd3\n', 'latin1')];
  let at = parts[0]?.length ?? 0;
  const put = (part: string | Buffer): void => {
    const bytes = Buffer.from(part as string, 'latin1');
    parts.push(bytes);
    at += bytes.length;
  };
  const offsets = objects.map((object, i) => {
    const from = at;
    put(`${i + 1} 0 obj\n`);
    if (typeof object === 'string') put(object);
    else {
      put(`<< ${object.dict} /Length ${object.data.length} >>\nstream\n`);
      put(object.data);
      put('\nendstream');
    }
    put('\nendobj\n');
    return from;
  });
  const table = at;
  const lines = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`);
  put(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${lines.join('')}`);
  put(`trailer\n<< /Size ${objects.length + 1} ${trailer} >>\nstartxref\n${table}\n%%EOF\n`);
  return Buffer.concat(parts);
}
