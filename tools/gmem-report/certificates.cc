// SPDX-License-Identifier: GPL-2.0-only
/*
 * Certificates of the SNP model's processor (certificates.h), over OpenSSL.
 */
#include "tools/gmem-report/certificates.h"

#include <algorithm>
#include <stdexcept>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "arch/x86/le.h"
#include "arch/x86/snp_certificates.h"
#include "tools/gmem-measure/bytes.h"

namespace report
{

using measure::Key;
using measure::Refused;

namespace
{

using Extension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;
using Object = std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>>;
using OctetString = std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

constexpr char kOwner[] = "gmem snp-model, not AMD";
constexpr char kArkName[] = "ARK of gmem's snp-model, not AMD's";
constexpr char kAskName[] = "ASK of gmem's snp-model, not AMD's";
constexpr char kVcekName[] = "VCEK of gmem's snp-model, not AMD's";
constexpr char kProduct[] = "gmem-model";

/* AMD's extensions. */
constexpr char kStructVersion[] = "1.3.6.1.4.1.3704.1.1", kProductName[] = "1.3.6.1.4.1.3704.1.2",
	       kHardwareId[] = "1.3.6.1.4.1.3704.1.4";
/* Security patch levels, and the byte of a TCB version that each is. */
constexpr struct {
	const char *oid;
	unsigned at;
} kLevels[] = {
	{ "1.3.6.1.4.1.3704.1.3.1", 0 }, { "1.3.6.1.4.1.3704.1.3.2", 1 },
	{ "1.3.6.1.4.1.3704.1.3.4", 2 }, { "1.3.6.1.4.1.3704.1.3.5", 3 },
	{ "1.3.6.1.4.1.3704.1.3.6", 4 }, { "1.3.6.1.4.1.3704.1.3.7", 5 },
	{ "1.3.6.1.4.1.3704.1.3.3", 6 }, { "1.3.6.1.4.1.3704.1.3.8", 7 },
};

/* Of the table's entries. */
constexpr measure::Guid kArkGuid = measure::guid("c0b406a4-a803-4952-9743-3fb6014cd0ae"),
			kAskGuid = measure::guid("4ab7b379-bbac-4fe4-a02f-05aef327c782"),
			kVcekGuid = measure::guid("63da758d-e664-4564-adc5-f4b93be8accd");

constexpr std::uint64_t kCertificateMost = 64 << 10;

void worked(bool did)
{
	if (!did)
		throw std::runtime_error("OpenSSL failed");
}

Key make_rsa_key()
{
	constexpr unsigned kBits = 4096;
	Key key{ EVP_RSA_gen(kBits) };

	worked(key != nullptr);
	return key;
}

/* Also where the point is none of the curve. */
Key key_of(const Processor &processor)
{
	Contents point{ POINT_CONVERSION_UNCOMPRESSED };
	char curve[] = "secp384r1";
	const KeyContext context{ EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr) };
	EVP_PKEY *key = nullptr;

	point.insert(point.end(), processor.x.begin(), processor.x.end());
	point.insert(point.end(), processor.y.begin(), processor.y.end());

	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(),
						  point.size()),
		OSSL_PARAM_construct_end(),
	};

	worked(EVP_PKEY_fromdata_init(context.get()) == 1);
	if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		throw Refused("the processor's key is no point of P-384");
	return Key{ key };
}

/* The name that @certificate gives to its subject, or its issuer. */
void set_name(X509_NAME *name, const char *common)
{
	const auto add = [&](const char *field, const char *text) {
		worked(X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC,
						  reinterpret_cast<const unsigned char *>(text), -1,
						  -1, 0) == 1);
	};

	add("O", kOwner);
	add("CN", common);
}

Certificate make_certificate(const char *subject, const char *issuer, EVP_PKEY *key)
{
	constexpr long kYears = 25L * 365 * 24 * 3600;
	Certificate certificate{ X509_new() };
	std::uint64_t serial = 0;

	worked(RAND_bytes(reinterpret_cast<unsigned char *>(&serial), sizeof(serial)) == 1);
	worked(X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1 | 1) ==
		       1 &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0) &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kYears) &&
	       X509_set_pubkey(certificate.get(), key) == 1);
	set_name(X509_get_subject_name(certificate.get()), subject);
	set_name(X509_get_issuer_name(certificate.get()), issuer);
	return certificate;
}

void add_extension(const Certificate &certificate, int nid, const char *value)
{
	const Extension extension{ X509V3_EXT_conf_nid(nullptr, nullptr, nid, value) };

	worked(extension && X509_add_ext(certificate.get(), extension.get(), -1) == 1);
}

/* @bytes are the extension's value as it is. */
void add_extension(const Certificate &certificate, const char *oid, gmem::ConstBytes bytes)
{
	const Object object{ OBJ_txt2obj(oid, 1) };
	const OctetString value{ ASN1_OCTET_STRING_new() };

	worked(ASN1_OCTET_STRING_set(value.get(), bytes.data(), static_cast<int>(bytes.size())) ==
	       1);

	const Extension extension{ X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 0,
								value.get()) };

	worked(extension && X509_add_ext(certificate.get(), extension.get(), -1) == 1);
}

/* A number of one byte, in DER. */
Contents integer(std::uint8_t value)
{
	if (value < 0x80)
		return { V_ASN1_INTEGER, 1, value };
	return { V_ASN1_INTEGER, 2, 0, value };
}

/* As AMD does: RSASSA-PSS with SHA-384. */
void sign(const Certificate &certificate, EVP_PKEY *key)
{
	const DigestContext context{ EVP_MD_CTX_new() };
	EVP_PKEY_CTX *options = nullptr;

	worked(EVP_DigestSignInit(context.get(), &options, EVP_sha384(), nullptr, key) == 1 &&
	       EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1 &&
	       X509_sign_ctx(certificate.get(), context.get()) > 0);
}

Certificate make_authority(const char *subject, EVP_PKEY *key, EVP_PKEY *signer)
{
	Certificate certificate = make_certificate(subject, kArkName, key);

	add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
	sign(certificate, signer);
	return certificate;
}

Certificate make_vcek(const Processor &processor, EVP_PKEY *signer)
{
	Certificate certificate = make_certificate(kVcekName, kAskName, key_of(processor).get());
	Contents product{ V_ASN1_IA5STRING, sizeof(kProduct) - 1 };

	product.insert(product.end(), kProduct, kProduct + sizeof(kProduct) - 1);
	add_extension(certificate, kStructVersion, integer(0));
	add_extension(certificate, kProductName, product);
	for (const auto &level : kLevels)
		add_extension(certificate, level.oid,
			      integer(static_cast<std::uint8_t>(processor.tcb >> 8 * level.at)));
	add_extension(certificate, kHardwareId, processor.chip_id);
	sign(certificate, signer);
	return certificate;
}

/* The value of the extension; Refused without it. */
gmem::ConstBytes extension_of(const Certificate &certificate, const char *oid)
{
	const Object object{ OBJ_txt2obj(oid, 1) };
	const int at = X509_get_ext_by_OBJ(certificate.get(), object.get(), -1);

	if (at < 0)
		throw Refused("the VCEK's certificate has no extension " + std::string(oid));

	const ASN1_OCTET_STRING *const value =
		X509_EXTENSION_get_data(X509_get_ext(certificate.get(), at));

	return { ASN1_STRING_get0_data(value),
		 static_cast<std::size_t>(ASN1_STRING_length(value)) };
}

std::uint64_t level_of(const Certificate &certificate, const char *oid)
{
	const gmem::ConstBytes value = extension_of(certificate, oid);

	for (unsigned level = 0; level < 256; level++) {
		const Contents known = integer(static_cast<std::uint8_t>(level));

		if (std::equal(value.begin(), value.end(), known.begin(), known.end()))
			return level;
	}
	throw Refused("the VCEK's extension " + std::string(oid) + " is no level");
}

Contents number_of(const EVP_PKEY *key, const char *name)
{
	constexpr int kSize = 48;
	BIGNUM *number = nullptr;
	Contents bytes(kSize);

	if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
		throw Refused("the VCEK's key is not of a curve");

	const Number owned{ number };

	if (BN_bn2binpad(number, bytes.data(), kSize) != kSize)
		throw Refused("the VCEK's key is not on P-384");
	return bytes;
}

/* In DER, or in PEM; empty where it is neither. */
Certificate certificate_of(gmem::ConstBytes bytes)
{
	const unsigned char *at = bytes.data();
	Certificate certificate{ d2i_X509(nullptr, &at, static_cast<long>(bytes.size())) };
	const Bio bio{ BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())) };

	if (!certificate)
		certificate.reset(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
	return certificate;
}

} /* namespace */

Chain make_chain(const Processor &processor)
{
	const Key ark = make_rsa_key(), ask = make_rsa_key();

	return { make_authority(kArkName, ark.get(), ark.get()),
		 make_authority(kAskName, ask.get(), ark.get()), make_vcek(processor, ask.get()) };
}

Contents der_of(const Certificate &certificate)
{
	unsigned char *bytes = nullptr;
	const int size = i2d_X509(certificate.get(), &bytes);

	worked(size > 0);

	Contents der(bytes, bytes + size);

	OPENSSL_free(bytes);
	return der;
}

Contents pem_of(const Certificate &certificate)
{
	const Bio bio{ BIO_new(BIO_s_mem()) };
	char *text = nullptr;

	worked(PEM_write_bio_X509(bio.get(), certificate.get()) == 1);

	const long size = BIO_get_mem_data(bio.get(), &text);

	return { text, text + size };
}

Certificate read_certificate(const std::string &name)
{
	Certificate certificate = certificate_of(measure::read_file(name, kCertificateMost));

	if (!certificate)
		throw Refused(name + ": no certificate in PEM or DER");
	return certificate;
}

Contents table_of(const Chain &chain)
{
	const struct {
		const measure::Guid &guid;
		Contents der;
	} entries[] = {
		{ kArkGuid, der_of(chain.ark) },
		{ kAskGuid, der_of(chain.ask) },
		{ kVcekGuid, der_of(chain.vcek) },
	};
	Contents table((std::size(entries) + 1) * gmem::kCertificateEntrySize);
	std::size_t at = 0;

	for (const auto &entry : entries) {
		std::copy(entry.guid.begin(), entry.guid.end(),
			  table.begin() + static_cast<long>(at));
		gmem::store_le(&table[at + 16], table.size(), 4);
		gmem::store_le(&table[at + 20], entry.der.size(), 4);
		table.insert(table.end(), entry.der.begin(), entry.der.end());
		at += gmem::kCertificateEntrySize;
	}
	return table;
}

Chain read_table(const std::string &name)
{
	const Contents contents = measure::read_file(name, gmem::kCertificatesMost);
	const measure::Bytes table{ contents, "the table of certificates" };
	Chain chain;

	measure::about(name, [&] {
		for (std::size_t at = 0;; at += gmem::kCertificateEntrySize) {
			const measure::Guid guid = table.guid(at);
			Certificate *const to = guid == kArkGuid    ? &chain.ark
						: guid == kAskGuid  ? &chain.ask
						: guid == kVcekGuid ? &chain.vcek
								    : nullptr;

			if (guid == measure::Guid{})
				return;

			const auto bytes = table.at(table.u32(at + 16), table.u32(at + 20));

			if (to)
				*to = certificate_of(bytes);
			if (to && !*to)
				throw Refused(measure::guid_text(guid) + " is no certificate");
		}
	});
	return chain;
}

Processor processor_of(const Certificate &vcek)
{
	const EVP_PKEY *const key = X509_get0_pubkey(vcek.get());
	const gmem::ConstBytes id = extension_of(vcek, kHardwareId);
	Processor processor{ number_of(key, OSSL_PKEY_PARAM_EC_PUB_X),
			     number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y),
			     { id.begin(), id.end() },
			     0 };

	for (const auto &level : kLevels)
		processor.tcb |= level_of(vcek, level.oid) << 8 * level.at;
	return processor;
}

} /* namespace report */
