/** What the ssh configuration asks of a login and can't be done here: for the error of a refused one. */
import { existsSync } from "node:fs";
import type { Destination } from "./destination";

/** One sentence's end for each; of methods only those that the server would accept. */
export function undoneWishes(target: Destination, allowed: readonly string[] = []): string[] {
  const { wishes, certificateFiles, identityFiles } = target;
  // Without CertificateFile ssh looks beside each key.
  const certificates = certificateFiles.length > 0 ? certificateFiles : identityFiles.map((file) => `${file}-cert.pub`);
  const undone = certificates.filter((file) => existsSync(file)).map((file) => `the user certificate ${file}`);
  if (wishes.pkcs11Provider !== undefined) undone.push(`PKCS11Provider ${wishes.pkcs11Provider}`);
  if (wishes.gssapi && allowed.includes("gssapi-with-mic")) undone.push("GSSAPIAuthentication");
  if (wishes.hostbased && allowed.includes("hostbased")) undone.push("HostbasedAuthentication");
  return undone.map((wish) => `the ssh configuration asks for ${wish}, which can't be used here`);
}
