import { join } from "node:path";
import { ini } from "../../provider/formats/ini";
import { testCorpus } from "./line-corpus";

testCorpus(ini, join(__dirname, "corpus/ini"), "/opt/wapt/conf/waptserver.ini");
