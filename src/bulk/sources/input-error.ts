/** An input that cannot be read at all, or no further; what is wrong with one row is that row's fault and not thrown. */
export class InputError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InputError';
  }
}
