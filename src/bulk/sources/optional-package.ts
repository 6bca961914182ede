/** Packages that only some need are not installed with ours; where one is missing, the message is the command that installs it. */
import { InputError } from './input-error.ts';

export async function optionalPackage<T>(
  load: () => Promise<T>,
  named: { readonly name: string; readonly use: string },
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(named.name)) {
      throw new InputError(`${named.use} needs a package that is not installed: npm install ${named.name}`, {
        cause: error,
      });
    }
    throw error;
  }
}
