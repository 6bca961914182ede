/** Reads and writes JSON whose numbers may be longer than a double holds: in arguments and schemas they must come out as they went in. */

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
type ExactJson = {
  parse(text: string, reviver: Reviver): unknown;
  rawJSON(text: string): unknown;
};

const exactJson = JSON as unknown as ExactJson;
/** The shortest run of digits a double may not hold, or an exponent it may not. */
const longNumber = /\d{16}|\d[\d.]{16}|\d[eE][-+]?\d{3}/;

/** As JSON.parse, but a number that would change is kept as written. Only texts that hold such a run pay for it. */
export function parseExactly(text: string): unknown {
  if (!longNumber.test(text)) return JSON.parse(text) as unknown;
  return exactJson.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source && longNumber.test(source)
      ? exactJson.rawJSON(source)
      : value,
  );
}
