/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Certificates in the manner of AMD's, for the processor of the SNP model: a root (ARK), who signs
 * for it (ASK), and the processor's (VCEK) with what it is in extensions (AMD's publication
 * 57230). Their names say whose they are.
 */
#ifndef GMEM_REPORT_CERTIFICATES_H
#define GMEM_REPORT_CERTIFICATES_H

#include <memory>
#include <string>

#include <openssl/x509.h>

#include "tools/gmem-measure/ecdsa.h"
#include "tools/gmem-report/report.h"

namespace report
{

using measure::FreeWith;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;

struct Chain {
	Certificate ark, ask, vcek;
};

/* A new one, with new keys of ARK and ASK, which nobody keeps. Takes seconds. */
Chain make_chain(const Processor &processor);

Contents der_of(const Certificate &certificate);
Contents pem_of(const Certificate &certificate);
/* From a file with one in PEM or DER. measure::Refused. */
Certificate read_certificate(const std::string &name);

/* The table of the GHCB's extended guest request. */
Contents table_of(const Chain &chain);
/* The one that a guest has got; what it has none of stays empty. measure::Refused. */
Chain read_table(const std::string &name);

/* What a processor's certificate says that it is. measure::Refused: no VCEK. */
Processor processor_of(const Certificate &vcek);

} /* namespace report */

#endif /* GMEM_REPORT_CERTIFICATES_H */
